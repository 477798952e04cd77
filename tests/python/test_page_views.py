"""What stays of a view when it is left, and of a session when somebody else may know of it."""

from test_page_walk import network, session_of


def test_what_was_left_in_a_view_is_found_there_again(page, server):
    page.open("#walk?stage=update")
    address, picture = page.run("return location.hash"), network(page)
    for view in ("telephone", "walk"):
        page.press(f'nav [data-view="{view}"]')
        page.wait(lambda view=view: page.run("return document.body.dataset.ready") == view)
        page.idle()
    assert page.run("return location.hash") == address and network(page) == picture
    page.press('nav [data-view="walk"]')
    assert page.run("return location.hash") == address, "the view that is open stays as it is"


def test_what_was_shared_stays(page, server):
    page.open("#walk?stage=forward")
    kept = session_of(page)
    page.press("#share")
    page.press("#walk-restart")
    assert server.get(f"/v1/sessions/{kept}")["step"] == 0
    page.press("#walk-next")
    passing = session_of(page)
    page.press("#walk-restart")
    server.get(f"/v1/sessions/{passing}", status=404)
    assert page.text("#curl-text").endswith("/v1/presets/worked-example")
