"""What the playground says when a run ends otherwise than it should."""

import re

from browser import DESKTOP, Page
from conftest import SERVER_ARGUMENTS, address_of, binary, end, launch


def test_a_run_that_overflows_says_where(driver, server):
    page = Page(driver, server.base_url)
    page.look(DESKTOP, "light")
    page.open("#play?preset=telephone-residual&rate=0.5")
    page.press("#play-train")
    page.wait(lambda: page.text("#play-notice"))
    page.wait(lambda: page.text("#play-train") == "Go on")
    assert "infinite" in page.text("#play-notice"), "the server's own words"
    numbers = re.findall(r"\d+\.\d+", page.text("#play-notice"))
    assert numbers and all(len(number.replace(".", "").lstrip("0")) <= 4 for number in numbers), "with no more digits than other numbers"
    page.idle()
    # What the depth insight refuses is on the console, as it should be.
    driver.get_log("browser")


def test_a_run_whose_server_dies_leaves_the_page_in_order(driver):
    process = launch(binary(), *SERVER_ARGUMENTS)
    page = Page(driver, address_of(process))
    page.look(DESKTOP, "light")
    page.open("#play?data=spiral")
    page.press("#play-train")
    page.wait(lambda: "after" in page.text("#play-loss"))
    process.kill()
    process.wait()
    page.wait(lambda: page.text("#play-train") == "Go on")
    page.wait(lambda: "does not answer" in page.text("#play-notice"))
    again = launch(binary(), "--store", "memory", "--listen", page.base_url.removeprefix("http://"))
    try:
        address_of(again)
        page.press("#play-restart")
        page.idle()
        assert page.text("#play-notice") == "" and page.text("#play-train") == "Train"
        page.press("#play-step")
        page.wait(lambda: "after one step" in page.text("#play-loss"))
    finally:
        end(again)
        # Requests that nobody answered are on the console, as they should be.
        driver.get_log("browser")
