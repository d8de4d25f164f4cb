"""Take the screenshots of the README from the real app: `python docs/take_screenshots.py`.

The app is started with an empty store, so that it shows the recorded examples. Needs Chromium.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "tests"))

from serving import CHROMIUM, FLAGS, serving  # noqa: E402

from explorer.runs.recorded import open_examples  # noqa: E402
from explorer.settings import Settings  # noqa: E402


def main() -> None:
    """Write `docs/why.png`, `docs/train.png`, `docs/inside.png` and `docs/plugins.png`."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder, "runs.sqlite"), Settings().cache) as (address, _),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1360, "height": 860}, device_scale_factor=1.5)
        page.set_viewport_size({"width": 1360, "height": 2040})
        page.goto(address)
        page.get_by_text("Do it yourself").wait_for()
        page.locator(".js-plotly-plot").nth(2).wait_for()
        page.wait_for_timeout(2000)
        page.screenshot(path=DOCS / "why.png")
        page.set_viewport_size({"width": 1360, "height": 860})
        page.goto(f"{address}/train?architecture=inception")
        page.get_by_text("inception — ").wait_for()
        page.locator(".js-plotly-plot .annotation").first.wait_for()
        page.wait_for_timeout(2000)
        page.screenshot(path=DOCS / "train.png")
        page.set_viewport_size({"width": 1360, "height": 1420})
        page.goto(f"{address}/inside?net={_inception()}&part=incep1&image=8&off=incep1.branch3x3")
        page.locator(".lanes canvas").nth(2).wait_for()
        page.get_by_text("What is each branch worth").wait_for()
        page.wait_for_timeout(2000)
        page.get_by_role("application", name="incep1.branch5x5_2").hover(
            position={"x": 60, "y": 20}
        )
        page.wait_for_timeout(500)
        page.screenshot(path=DOCS / "inside.png")
        page.set_viewport_size({"width": 1360, "height": 1000})
        page.goto(f"{address}/plugins?show=residual-as-printed")
        page.get_by_text("All of it moves to another device").wait_for(timeout=120_000)
        page.locator("svg.vertical").wait_for()
        page.wait_for_timeout(1000)
        page.screenshot(path=DOCS / "plugins.png")
        browser.close()


def _inception() -> str:
    """Return the id of the recorded network."""
    return next(run.id for run in open_examples().runs() if run.spec.architecture == "inception")


if __name__ == "__main__":
    main()
