"""Pages, as Chromium shows them."""

import contextlib
import functools
import http.server
import os
import shutil
import subprocess
import threading

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None and ("CI" not in os.environ or "NETWRIGHT_WITHOUT_BROWSER" in os.environ), reason="needs Chromium"
)


def shown(address, folder):
    """The page's HTML once its scripts have run."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"]
    done = subprocess.run(
        [*command, f"--user-data-dir={folder}/profile", address],
        capture_output=True, text=True, check=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    return done.stdout


@contextlib.contextmanager
def served(folder, policy):
    """The address of a folder's files on this machine, under that content policy."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

        def end_headers(self):
            self.send_header("Content-Security-Policy", policy)
            super().end_headers()

        def log_message(self, *given):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
