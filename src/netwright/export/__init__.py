"""A trained model as a program that runs without netwright: one description of it, and a writer for each language."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netwright.export.export import Proof
    from netwright.export.program import Program


class Exportable:
    """What has a `program` can be exported."""

    def program(self) -> "Program":
        """What the model computes, as `export` writes it."""
        raise NotImplementedError

    def export(self, path: Any, format: str | None = None, **options: Any) -> "Proof":
        """Write the model for somewhere else, in the format of that name or of the path's ending: ONNX, C, Python,
        JavaScript or SQL.

        What was written is run on trial rows first, and kept only if it gives this model's numbers: the `Proof` says
        how nearly. `NAME.test.json` beside it has the rows with the answers. Each format's options are in
        docs/export.md. ValueError for an unknown format or option, for what it cannot hold, and for a number that is
        not right; OSError when a file can't be written.
        """
        from netwright.export.export import export

        return export(self.program(), path, format, **options)
