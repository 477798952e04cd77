"""Starts the built server once for all tests that speak HTTP, and gives them a small client.

The binary is named by CHAINRULE_BINARY. Without it the tests fail and say so: a test that skips where nothing
was built would look like one that passed.
"""

import os
import re
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium.webdriver import Chrome

from browser import DESKTOP, Page, start
from recheck import parse

START_SECONDS = 30
REQUEST_SECONDS = 60
STOP_SECONDS = 30
IDLE_SECONDS = 2

SERVER_ARGUMENTS = ["--listen", "127.0.0.1:0", "--store", "memory"]
FIRST_LINE = re.compile(r"listening on (http://\S+:\d+)\n")


class Client:
    """JSON in, JSON out. Every call asserts the status: a success, or the one that is asked for."""

    def __init__(self, base_url: str):
        self.base_url = base_url
        self._connection = requests.Session()
        # A proxy of the developer's machine has no say between a test and its server.
        self._connection.trust_env = False
        self._used = time.monotonic()

    def get(self, path: str, status: int | None = None) -> Any:
        return self._call("GET", path, None, status)

    def answer(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> requests.Response:
        """An answer of any status, with its headers."""
        url = self.base_url + path
        return self._fresh().request(method, url, json=body, headers=headers, timeout=REQUEST_SECONDS)

    def bytes(self, path: str) -> bytes:
        """An answer as it is on the wire."""
        answer = self._fresh().get(self.base_url + path, timeout=REQUEST_SECONDS)
        assert answer.ok, f"{path}: status {answer.status_code}: {answer.text[:2000]}"
        return answer.content

    def put(self, path: str, body: Any, status: int | None = None) -> Any:
        return self._call("PUT", path, body, status)

    def post(self, path: str, body: Any, status: int | None = None) -> Any:
        return self._call("POST", path, body, status)

    def delete(self, path: str, status: int | None = None) -> Any:
        return self._call("DELETE", path, None, status)

    def _fresh(self) -> requests.Session:
        """A server that has waited for seconds may hang up in the very moment of the next request: it gets a new connection."""
        if time.monotonic() - self._used > IDLE_SECONDS:
            self._connection.close()
        self._used = time.monotonic()
        return self._connection

    def close(self) -> None:
        self._connection.close()

    def _call(self, method: str, path: str, body: Any, status: int | None) -> Any:
        answer = self._fresh().request(method, self.base_url + path, json=body, timeout=REQUEST_SECONDS)
        fits = answer.ok if status is None else answer.status_code == status
        assert fits, f"{method} {path}: status {answer.status_code}, not {status or 'a success'}: {answer.text[:2000]}"
        return parse(answer.text) if answer.content else None


@pytest.fixture(scope="session")
def server() -> Iterator[Client]:
    process = launch(binary(), *SERVER_ARGUMENTS)
    try:
        client = Client(address_of(process))
        yield client
        client.close()
        assert process.poll() is None, f"the server ended by itself with {process.returncode}"
    finally:
        end(process)


def binary() -> Path:
    name = os.environ.get("CHAINRULE_BINARY")
    if not name:
        raise RuntimeError("CHAINRULE_BINARY is not set: it must name the built server, e.g. target/debug/chainrule")
    binary = Path(name).resolve()
    if not os.access(binary, os.X_OK) or not binary.is_file():
        raise RuntimeError(f"CHAINRULE_BINARY names {name}, which is not a program: build it first")
    return binary


def environment() -> dict[str, str]:
    """Without the server's own variables, each of which would act like a flag."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CHAINRULE_")}


def launch(*command: str | Path) -> subprocess.Popen:
    """A server that tells its address: `address_of`; to be ended by `end`."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), stdin=subprocess.DEVNULL)


def address_of(process: subprocess.Popen) -> str:
    """From the first line on standard output. Logs go to standard error, which pytest shows with a failure."""
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    if not ready:
        raise RuntimeError(f"the server said nothing for {START_SECONDS} seconds")
    line = process.stdout.readline()
    found = FIRST_LINE.fullmatch(line)
    if found is None:
        raise RuntimeError(f"the first line is {line!r}, not 'listening on http://ADDR:PORT'")
    return found[1]


def end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise RuntimeError(f"the server did not stop within {STOP_SECONDS} seconds of being asked to") from None
    finally:
        process.stdout.close()


@pytest.fixture(scope="session")
def driver() -> Iterator[Chrome]:
    driver = start()
    yield driver
    driver.quit()


@pytest.fixture
def page(driver: Chrome, server: Client) -> Iterator[Page]:
    """The page on a desktop in daylight; after each test nothing may have gone wrong behind the screen."""
    page = Page(driver, server.base_url)
    page.look(DESKTOP, "light")
    yield page
    page.assert_clean()
