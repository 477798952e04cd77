"""A real browser that opens the page, reads its screen, and tells what went wrong behind it.

Nothing here waits for time to pass: every wait is for a condition that the page makes true.
"""

import base64
import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE_SECONDS = 60
SCREENSHOTS = Path(__file__).parent.parent.parent / "target" / "screenshots"
DESKTOP, PHONE = (1280, 900), (360, 780)


class Page:
    """The page in a browser, against one server."""

    def __init__(self, driver: Chrome, base_url: str):
        self.driver = driver
        self.base_url = base_url

    def open(self, address: str = "") -> None:
        """Opens an address as a visitor who has not been here before."""
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get_log("performance")
        self.driver.get(f"{self.base_url}/{address}")
        self.wait(lambda: self.run("return document.body.dataset.ready"))
        self.idle()

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: Callable[[], Any]) -> Any:
        return WebDriverWait(self.driver, PATIENCE_SECONDS, 0.02).until(lambda _: condition())

    def idle(self) -> None:
        self.wait(lambda: not self.all("[aria-busy]"))

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return self.one(selector).get_attribute("textContent")

    def press(self, selector: str) -> None:
        """Presses what is found as a mouse does: what lies under something else is not reached."""
        element = self.one(selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()
        self.idle()

    def type(self, selector: str, text: str) -> None:
        """Types over what stands in a field, and leaves it."""
        element = self.one(selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        self.run("arguments[0].focus(); arguments[0].select()", element)
        element.send_keys(text + "\n")
        self.run("document.activeElement.blur()")
        self.idle()

    def look(self, size: tuple[int, int], scheme: str) -> None:
        """As a window of this size shows it, `light` or `dark`, with movement at rest."""
        width, height = size
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def screenshot(self, name: str) -> None:
        """The whole page as a picture, for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        width, height = self.run("return [innerWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        (SCREENSHOTS / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))

    def assert_clean(self) -> None:
        """No error on the console (a broken content security policy is one), and no request to anybody else."""
        complaints = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] != "INFO"]
        assert not complaints, complaints
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
        assert asked, "no request was seen"
        away = [url for url in asked if not url.startswith((f"{self.base_url}/", "data:"))]
        assert not away, away

    def assert_fits(self) -> None:
        """Nothing stands out of the window to the side."""
        wide, window = self.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window, f"the page is {wide} wide in a window of {window}"

    def assert_accessible(self) -> None:
        """axe finds nothing that keeps people out."""
        self.run(axe())
        script = "return axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)"
        found = self.run(script)
        told = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]
        assert not told, told


def axe() -> str:
    """axe-core's script, out of the package that brings it."""
    files = distribution("axe-playwright-python").files or []
    [script] = [file for file in files if file.name == "axe.min.js"]
    return script.read_text(encoding="utf-8")


def start() -> Chrome:
    """A browser without a window, Debian's own."""
    options = ChromeOptions()
    # Tests run as root in containers, where the browser's own sandbox cannot be made and /dev/shm is small.
    for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server"]:
        options.add_argument(argument)
    options.binary_location = program("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return Chrome(options=options, service=Service(program("chromedriver")))


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise RuntimeError(f"{name} is not installed: tests/packages installs it")
    return path


def number(text: str) -> float:
    """A number as the page writes it."""
    return float(text.replace("−", "-"))


def shown(value: float, digits: int = 4) -> str:
    """A number as the page should write it, worked out here by Python's own rounding: exactly where the digits are enough."""
    if value == 0:
        return "0"
    shortest = "".join(map(str, Decimal(repr(abs(value))).normalize().as_tuple().digits))
    mantissa, exponent = f"{value:.{min(digits, len(shortest)) - 1}e}".split("e")
    power = int(exponent)
    if not -4 <= power <= 5:
        return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power)}".replace("-", "−")
    places = max(0, min(digits, len(shortest)) - 1 - power)
    return f"{value:.{places}f}".replace("-", "−")
