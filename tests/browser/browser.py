"""A headless Chromium before the page: its size, its colours, what it says to its console."""

import base64
import os
import shutil
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions", "--no-first-run",
    "--metrics-recording-only", "--no-proxy-server", "--hide-scrollbars", "--lang=en",
]

SIZES = {"desktop": (1366, 900, 1.0, False), "phone": (390, 844, 2.0, True)}


class Browser:
    """Use as a context manager."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="rolecall-browser.")
        options = Options()
        for flag in [*FLAGS, f"--user-data-dir={self.profile}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        try:
            self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        except BaseException:
            shutil.rmtree(self.profile, ignore_errors=True)
            raise
        self.driver.set_page_load_timeout(30)
        self.driver.set_script_timeout(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)

    def look(self, size="desktop", scheme="light"):
        """How large the window is, and which colours its user prefers."""
        width, height, scale, mobile = SIZES[size]
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def open(self, url):
        self.driver.get(url)

    def js(self, script, *args):
        return self.driver.execute_script(script, *args)

    def text(self, selector):
        """Of the first element that fits; "" when there is none."""
        return self.js("const e = document.querySelector(arguments[0]); return e ? e.textContent : ''", selector)

    def texts(self, selector):
        return self.js("return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector)

    def answers(self):
        """How often the page has drawn what rolecall told."""
        return int(self.js("return document.body.dataset.answers || '0'"))

    def console(self):
        """What was said since the last call, warnings and errors; a server that is gone is no fault of the page."""
        return [entry for entry in self.driver.get_log("browser")
                if entry["level"] in ("WARNING", "SEVERE") and "net::ERR_" not in entry["message"]]

    def picture(self, name, whole=True):
        """Keeps a screenshot in $ROLECALL_SCREENSHOTS, when that is set."""
        folder = os.environ.get("ROLECALL_SCREENSHOTS")
        if not folder:
            return
        os.makedirs(folder, exist_ok=True)
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": whole, "format": "png"})
        with open(os.path.join(folder, f"{name}.png"), "wb") as file:
            file.write(base64.b64decode(shot["data"]))
