"""`netwright warmup`: the fused engine, compiled ahead."""

import click

from netwright.cli.screen import echo


@click.command()
def warmup() -> None:
    """Compile the fused engine ahead, for every activation, loss and optimizer (in a container's image, say).

    From then on training takes it for all but the smallest jobs, since all that is left to do is to load it.
    """
    from netwright.engines import cache_directory, warm_up

    try:
        import netwright.engines.fused  # noqa: F401
    except ImportError as error:
        raise click.ClickException(
            f"there is nothing to compile: the fused engine needs Numba ({error}); training goes on plain NumPy"
        ) from error
    place = cache_directory()
    click.echo("compiling for float64 and float32; this takes a minute or two", err=True)
    echo(f"compiled in {warm_up():.0f} s, kept in {place}; training takes it for all but the smallest jobs now")
