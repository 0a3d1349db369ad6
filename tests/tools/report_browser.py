"""Drives the report in headless Chromium with the network off, as a reader would: slider, units, map, theme, copies.

usage: report_browser.py --sample PATH_OF_report_sample --chromium PATH --driver PATH
"""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time
import unittest

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import Select, WebDriverWait

options = None


def open_browser():
    chrome = webdriver.ChromeOptions()
    chrome.binary_location = options.chromium
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1400,1000",
                   "--force-prefers-reduced-motion"):
        chrome.add_argument(switch)
    chrome.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(service=Service(options.driver), options=chrome)
    browser.set_network_conditions(offline=True, latency=0, throughput=0)
    return browser


class ReportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.pages = {}
        for name, words in (("factors", []), ("classes", ["classes"])):
            path = pathlib.Path(cls.folder.name) / name
            subprocess.run([options.sample, str(path), *words], check=True, stdout=subprocess.DEVNULL)
            cls.pages[name] = path
        cls.browser = open_browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()
        cls.folder.cleanup()

    def load(self, path):
        self.browser.get_log("browser")
        self.browser.get(pathlib.Path(path).as_uri())
        WebDriverWait(self.browser, 20).until(lambda b: b.execute_script("return document.body.dataset.ready === 'true'"))
        time.sleep(0.3)

    def quiet(self):
        """No message of any kind in the console."""
        self.assertEqual([entry["message"] for entry in self.browser.get_log("browser")], [])

    def find(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.find(selector).text

    def click(self, selector):
        """As a reader does who scrolls there first: the bars of the page cover its edges."""
        node = self.find(selector)
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", node)
        node.click()

    def above(self, selector):
        """The heading before an element."""
        return self.find(selector).find_element(By.XPATH, "preceding-sibling::h3[1]").text

    def changed(self, page, name, change):
        """A copy of the page with its data changed in Python."""
        text = (page / "report.html").read_text(encoding="utf-8")
        start = text.index('id="run-data">') + len('id="run-data">')
        end = text.index("</script", start)
        data = json.loads(text[start:end])
        change(data)
        copy = page / (name + ".html")
        copy.write_text(text[:start] + json.dumps(data).replace("<", "\\u003c") + text[end:], encoding="utf-8")
        return copy

    def test_loads_without_a_network(self):
        self.browser.get_log("performance")
        self.load(self.pages["factors"] / "report.html")
        self.quiet()
        self.assertEqual(self.browser.find_elements(By.ID, "absent"), [], "nothing that a run on images has is missing")
        asked = [message["params"]["request"]["url"]
                 for message in (json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance"))
                 if message["method"] == "Network.requestWillBeSent"]
        self.assertEqual([url[:60] for url in asked if not url.startswith(("file:", "data:", "blob:"))], [])
        for panel in ("hierarchy", "emergence", "training", "settling", "similarity", "layers", "filters", "units", "attribution",
                      "embedding", "numbers", "cost", "repeat"):
            section = self.find("#" + panel)
            self.assertEqual(section.find_elements(By.CSS_SELECTOR, ".refusal"), [], panel)
            self.assertTrue(section.find_element(By.CSS_SELECTOR, ".claim, .answer").text, panel)
            if panel not in ("repeat",):
                self.assertIn("Control", section.find_element(By.CSS_SELECTOR, ".notes").text, panel)
        self.assertEqual(len(self.browser.find_elements(By.CSS_SELECTOR, "#hierarchy svg[role=img] .trained")), 6)
        self.assertEqual(len(self.browser.find_elements(By.CSS_SELECTOR, "#hierarchy svg[role=img] .untrained")), 6)

    def test_sentences_of_the_run_are_shown(self):
        self.load(self.pages["factors"] / "report.html")
        self.assertEqual(self.text("h1"), "Do deeper layers hold higher-level features?")
        self.assertIn("invented to test this page", self.text("#hierarchy .answer"))
        self.assertIn("The object reaches 93.0% at conv6.", self.text("#hierarchy .findings"))
        self.assertIn("Test accuracy at the end: 94.1%. The network ends at", self.text("#training .claim"))
        # A defined word links to its definition.
        link = self.find("#numbers .claim a.word")
        self.assertTrue(self.find(link.get_attribute("href")[link.get_attribute("href").index("#"):]).text.startswith("probe accuracy"))

    def test_slider_moves_the_panels_together(self):
        self.load(self.pages["factors"] / "report.html")
        slider = self.find("#step")
        state = """return {row: [...document.querySelectorAll('#hierarchy svg[role=img] .trained')].map(p => p.getAttribute('d')).join(),
            cursor: [...document.querySelectorAll('.cursor')].map(c => c.getAttribute('x1')).join(),
            filter: [...document.querySelector('#filters canvas').getContext('2d').getImageData(0, 0, 7, 7).data].join(),
            matrix: document.querySelector('#similarity svg[role=img]').textContent, map: document.querySelector('#embedding h3').textContent,
            table: document.querySelector('#numbers tbody').textContent, layer: document.querySelector('#layers .claim').textContent,
            dots: document.querySelector('#embedding canvas').toDataURL(), gallery: picture('#units .card canvas:nth-child(2)'), patches: picture('#units .patches canvas'),
            numbers: [...document.querySelectorAll('#units .patches figcaption')].map(c => c.textContent).join(), strip: document.querySelector('#units .unit svg[role=img]').innerHTML};
            function picture(where) { return [...document.querySelectorAll(where)].map(c => c.toDataURL()).join(); }"""
        still = """return ['#units .unit .shot canvas', '#units .pair'].map(where => [...document.querySelectorAll(where)].map(e => e.toDataURL ? e.toDataURL() : e.innerHTML).join()).join()"""
        trained = self.browser.execute_script(still)
        after = self.browser.execute_script(state)
        slider.send_keys(Keys.HOME)
        time.sleep(0.3)
        before = self.browser.execute_script(state)
        for part in after:
            self.assertNotEqual(before[part], after[part], part)
        self.assertIn("untrained", self.text("#timeline output"))
        self.assertIn("at step 0", self.above("#units .patches"))
        self.assertRegex(self.text("#embedding .claim"), "as conv6 sees them at step 0, coloured by object, which a linear probe reads here with [23]")
        # Made after training, and says so.
        self.assertEqual(self.browser.execute_script(still), trained)
        self.assertIn("those of the trained network", self.text("#units .notes"))
        # At step 0 the trained network is the untrained one: the two lines of each row coincide.
        same = self.browser.execute_script("""return [...document.querySelectorAll('#hierarchy svg[role=img] g')].filter(g => g.querySelector(':scope > .trained'))
            .every(g => g.querySelector('.trained').getAttribute('d') === g.querySelector('.untrained').getAttribute('d'))""")
        self.assertTrue(same)
        slider.send_keys(Keys.END)
        time.sleep(0.3)
        self.assertEqual(self.browser.execute_script(state), after)
        self.quiet()

    def test_play_runs_and_stops(self):
        self.load(self.pages["factors"] / "report.html")
        play = self.find("#timeline button")
        play.click()
        time.sleep(1.2)
        self.assertEqual(play.text, "Pause")
        self.assertNotIn("2,048", self.text("#timeline output"))
        play.click()
        here = self.text("#timeline output")
        time.sleep(0.6)
        self.assertEqual(self.text("#timeline output"), here)

    def unit(self):
        """Number of the unit that the browser shows, as its sentence says it."""
        return int(self.text("#units .claim").split()[1])

    def test_unit_browser(self):
        self.load(self.pages["factors"] / "report.html")
        self.click("#units .choices button:nth-child(3)")
        self.assertIn("of conv3", self.text("#units .claim"))
        self.assertEqual(Select(self.find("#layers select")).first_selected_option.text, "conv3", "panels share the layer")
        self.click("#units .card:nth-of-type(3)")
        self.assertEqual(self.unit(), 6)
        self.assertEqual(self.find("#units .card[aria-pressed=true] b").text, "unit 6")
        self.click("#units button[aria-label='Next unit']")
        self.assertEqual(self.unit(), 9)
        self.assertGreaterEqual(len(self.browser.find_elements(By.CSS_SELECTOR, "#units .tiles canvas")), 18)
        drawn = self.browser.execute_script("""return [...document.querySelectorAll('#units canvas')].every(c =>
            c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 !== 3 && v > 0))""")
        self.assertTrue(drawn, "a tile of the unit browser is blank")
        self.quiet()

    def test_a_unit_shows_concept_and_loss_beside_their_controls(self):
        self.load(self.pages["factors"] / "report.html")
        self.click("#units .choices button:nth-child(3)")
        self.click("#units .card:nth-of-type(3)")  # unit 6: detects, and loses .1 of its class
        concept, loss = [part.text for part in self.browser.find_elements(By.CSS_SELECTOR, "#units .pair > div")]
        self.assertIn("Detects “texture half angles” with an IoU of 0.313", concept)
        self.assertIn("at most 0.063 (chance IoU)", concept)
        self.assertIn("before training: 0.020", concept)
        self.assertIn("50.0% of the units detect a concept, before training 3.1%", concept)
        # Four classes: (.1 + 3 x .002) / 4 against .002 with all units.
        self.assertRegex(loss, "accuracy on 1,000 test images falls by 2.[45] points from 93.8%")
        self.assertIn("Most is lost in “cart”: 9.8 points", loss)
        rows = self.browser.execute_script("""return [...document.querySelectorAll('#units .pair > div:nth-child(2) .row')].map(r =>
            [r.querySelector('text').firstChild.textContent, +r.querySelector('.own').getAttribute('cx'), r.querySelector('line') !== null])""")
        self.assertEqual([row[0] for row in rows], ["all images", "boat", "house", "cart", "tower"])
        self.assertEqual(max(rows, key=lambda row: row[1])[0], "cart")
        self.assertTrue(all(row[2] for row in rows), "each row has the span of the random units")
        # Words of the sentences link to what they mean.
        words = {word.text for word in self.browser.find_elements(By.CSS_SELECTOR, "#units .pair a.word")}
        self.assertLessEqual({"IoU", "chance IoU", "ablated"}, words)
        # A unit that detects nothing says so.
        self.click("#units .card:nth-of-type(4)")
        self.assertIn("Detects no concept: the nearest", self.text("#units .pair"))
        self.quiet()

    def test_units_by_keyboard(self):
        self.load(self.pages["factors"] / "report.html")
        first = self.find("#units .card")
        first.send_keys(Keys.ENTER)
        self.assertEqual(self.unit(), 0)
        first.send_keys(Keys.ARROW_RIGHT)
        self.assertEqual(self.unit(), 3)
        self.assertEqual(self.find("#units [role=status]").get_attribute("textContent"), "Unit 3 of conv6 is shown.")
        focus = self.browser.switch_to.active_element
        self.assertIn("unit 3", focus.text)
        focus.send_keys(Keys.ARROW_LEFT)
        self.browser.switch_to.active_element.send_keys(Keys.ARROW_LEFT)  # round to the last
        self.assertEqual(self.unit(), 21)
        self.assertEqual(len(self.browser.find_elements(By.CSS_SELECTOR, "#units .card[aria-pressed=true]")), 1)

    def test_units_in_order(self):
        self.load(self.pages["factors"] / "report.html")
        order = lambda: [int(card.text.split()[1]) for card in self.browser.find_elements(By.CSS_SELECTOR, "#units .card b")]
        self.assertEqual(order(), [0, 3, 6, 9, 12, 15, 18, 21])
        Select(self.find("#units select")).select_by_visible_text("loss without it")
        self.assertEqual(order(), [21, 18, 15, 12, 9, 6, 3, 0])
        Select(self.find("#units select")).select_by_visible_text("IoU")
        self.assertEqual(order(), [0, 6, 12, 18, 3, 9, 15, 21])
        values = self.browser.find_elements(By.CSS_SELECTOR, "#units select")[2]
        Select(values).select_by_visible_text("cart")
        self.assertLess(len(order()), 8)
        self.quiet()

    def point(self):
        """Where the map draws some point, in page coordinates relative to the middle of its canvas."""
        return self.browser.execute_script("""const map = strata.data.panels.embedding.maps.find(m => m.layer === 'conv6');
            return [map.x[0], map.y[0]]""")

    def test_map_hover_choice_and_area(self):
        self.load(self.pages["factors"] / "report.html")
        canvas = self.find("#embedding canvas")
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
        time.sleep(0.3)
        # Ask the picture itself where a dot is: the first pixel of the colour of a value.
        spot = self.browser.execute_script("""const c = arguments[0], w = c.width, h = c.height, d = c.getContext('2d').getImageData(0, 0, w, h).data;
            for (let y = Math.floor(h / 4); y < h; ++y) for (let x = 0; x < w; ++x) { const i = 4 * (y * w + x);
              if (d[i + 3] > 200) return [x * c.clientWidth / w, (y + 2) * c.clientHeight / h]; } return null""", canvas)
        self.assertIsNotNone(spot, "the map is blank")
        box = canvas.rect
        dx, dy = round(spot[0] - box["width"] / 2), round(spot[1] - box["height"] / 2)
        ActionChains(self.browser).move_to_element_with_offset(canvas, dx, dy).perform()
        tip = self.find("#tip")
        self.assertTrue(tip.is_displayed())
        self.assertIn("object:", tip.text)
        self.assertEqual(len(tip.find_elements(By.TAG_NAME, "canvas")), 1)
        ActionChains(self.browser).move_to_element_with_offset(canvas, dx, dy).click().perform()
        self.assertIn("Nearest neighbours", self.text("#embedding .map-layout"))
        self.assertRegex(self.text("#embedding .map-layout"), r"[5-8] of 8 share object")
        before = self.text("#embedding [aria-live]")
        canvas.send_keys(Keys.ARROW_RIGHT)
        self.assertIn("Nearest neighbours", self.text("#embedding [aria-live]"))
        self.find("#embedding button[aria-pressed]").click()
        ActionChains(self.browser).move_to_element_with_offset(canvas, -box["width"] // 2 + 5, -box["height"] // 2 + 5).click_and_hold() \
            .move_by_offset(int(box["width"]) - 10, int(box["height"]) - 10).release().perform()
        self.assertIn("400 images in the area", self.text("#embedding [aria-live]"))
        self.assertNotEqual(before, self.text("#embedding [aria-live]"))
        self.quiet()

    def test_saving_and_copying(self):
        self.load(self.pages["factors"] / "report.html")
        saved = self.browser.execute_async_script("""const done = arguments[0];
            strata.download = (blob, name) => blob.text().then((text) => {
              const svg = new DOMParser().parseFromString(text, 'image/svg+xml'), line = svg.querySelectorAll('path')[2];
              done({name, root: svg.documentElement.nodeName, classes: svg.querySelectorAll('[class]').length, variables: text.includes('var(--'), style: line.getAttribute('style')}); });
            document.querySelector('#emergence .tools button').click();""")
        self.assertEqual((saved["name"], saved["root"], saved["classes"], saved["variables"]), ("emergence.svg", "svg", 0, False))
        self.assertIn("stroke:", saved["style"])
        self.browser.execute_script("strata.copy = (text) => { window.copied = text; }")
        self.browser.execute_script("document.querySelector('#numbers').scrollIntoView()")
        self.find("#numbers .controls button").click()
        lines = self.browser.execute_script("return window.copied").split("\n")
        self.assertEqual(len(lines), 7)
        self.assertEqual({len(line.split("\t")) for line in lines}, {10})
        self.assertGreater(float(lines[6].split("\t")[9]), 0.9)

    def test_panels_with_pictures_are_saved_as_png(self):
        self.load(self.pages["factors"] / "report.html")
        for panel in ("filters", "units", "attribution", "embedding"):
            saved = self.browser.execute_async_script("""const [panel, done] = arguments;
                strata.download = async (blob, name) => {
                  const image = await createImageBitmap(blob), canvas = document.createElement('canvas');
                  canvas.width = image.width; canvas.height = image.height;
                  const context = canvas.getContext('2d');
                  context.drawImage(image, 0, 0);
                  const colours = new Set(new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer));
                  done({name, width: image.width, wide: document.querySelector('#' + panel + ' .chart').getBoundingClientRect().width, colours: colours.size});
                };
                [...document.querySelectorAll('#' + panel + ' .tools button')].find(b => b.textContent === 'Save picture').click();""", panel)
            self.assertEqual(saved["name"], panel + ".png")
            self.assertAlmostEqual(saved["width"], 2 * saved["wide"], delta=2)
            self.assertGreater(saved["colours"], 200, panel)
        self.browser.execute_script("strata.copy = (text) => { window.copied = text; }")
        self.click("#units .pair button")
        lines = self.browser.execute_script("return window.copied").split("\n")
        self.assertEqual([line.split("\t")[0] for line in lines[1:]], ["all images", "boat", "house", "cart", "tower"])
        self.click("button[aria-label='Copy the table of layers']")
        self.assertEqual(len(self.browser.execute_script("return window.copied").split("\n")), 7)
        self.quiet()

    def test_every_panel_says_where_its_numbers_come_from(self):
        self.load(self.pages["factors"] / "report.html")
        for notes in self.browser.find_elements(By.CSS_SELECTOR, ".notes"):
            if not notes.text:
                continue
            links = [link.get_attribute("href").split("#")[1] for link in notes.find_elements(By.CSS_SELECTOR, "dd:last-child a")]
            self.assertEqual(links, ["repeat", "words"])
            self.assertIn("with seed 7", notes.text)
        self.assertIn("strata study --data terrace", self.text("#repeat pre"))

    def test_prints_light_without_controls(self):
        self.load(self.pages["factors"] / "report.html")
        self.find("#theme").click()
        self.addCleanup(self.browser.execute_cdp_cmd, "Emulation.setEmulatedMedia", {"media": ""})
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        self.browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
        self.assertEqual(self.browser.execute_script("return getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)")
        shown = self.browser.execute_script("return [...document.querySelectorAll('.top, .timeline, .controls, .tools, .quiet')].filter(e => e.offsetParent).map(e => e.outerHTML.slice(0, 80))")
        self.assertEqual(shown, [])
        self.quiet()

    def test_theme_and_keyboard(self):
        self.load(self.pages["factors"] / "report.html")
        paper = "return getComputedStyle(document.body).backgroundColor"
        light = self.browser.execute_script(paper)
        self.find("#theme").send_keys(Keys.ENTER)
        self.assertNotEqual(self.browser.execute_script(paper), light)
        # Everything that can be operated has a name for a screen reader and can be reached by the keyboard.
        nameless = self.browser.execute_script("""return [...document.querySelectorAll('button, select, input, svg[role=img], canvas[role=img]')].filter(e =>
            !(e.getAttribute('aria-label') || e.textContent.trim() || e.closest('label')) && !(e.closest('button'))).map(e => e.outerHTML.slice(0, 120))""")
        self.assertEqual(nameless, [])
        self.quiet()

    def test_narrow_pages_do_not_scroll_sideways(self):
        for width in (400, 900, 1400):
            self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
            self.load(self.pages["factors"] / "report.html")
            self.assertLessEqual(self.browser.execute_script("return document.documentElement.scrollWidth"), width)
            self.quiet()
        self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def test_class_only_run(self):
        self.load(self.pages["classes"] / "report.html")
        self.quiet()
        self.assertEqual(len(self.browser.find_elements(By.CSS_SELECTOR, "#hierarchy svg[role=img] .trained")), 1)
        self.assertEqual(self.browser.find_elements(By.CSS_SELECTOR, ".refusal"), [])
        self.assertIn("Not measured: this data set has no masks.", self.text("#units .pair"))
        self.assertIn("Left out", self.text("#units .notes"))
        self.assertEqual(len(self.browser.find_elements(By.CSS_SELECTOR, "#units .pair > div:nth-child(2) .row")), 11)

    def test_missing_panels_and_gaps(self):
        def bare(data):
            data["panels"] = {}
            data["metrics"] = {"dropped": 1}
        self.load(self.changed(self.pages["factors"], "bare", bare))
        self.assertIn("no probe was recorded", self.text("#first"))
        self.assertIn("Not in this report", self.text("#absent"))
        self.assertIn("First-layer filters", self.text("#absent"))
        self.assertNotIn("sound", self.text("#absent"))  # the run is one on images
        self.quiet()

        def gaps(data):
            for kind in ("train", "probe", "cka", "layer"):
                for column in data["metrics"][kind]:
                    if column not in ("step", "layer", "factor", "control"):
                        data["metrics"][kind][column][::3] = [None] * len(data["metrics"][kind][column][::3])
            data["panels"]["similarity"]["matrix"][0][3] = None
            data["panels"]["units"][5]["units"][0]["patches"][0]["activation"] = None
            data["panels"]["embedding"]["maps"][6]["x"][5] = None
        self.load(self.changed(self.pages["factors"], "gaps", gaps))
        self.assertNotIn("NaN", self.browser.execute_script("return document.body.innerText + [...document.querySelectorAll('path')].map(p => p.getAttribute('d')).join()"))
        self.quiet()

    def test_a_panel_without_its_control_is_not_drawn(self):
        def strip(data):
            del data["panels"]["similarity"]["untrained"]
            del data["panels"]["filters"]["untrained"]
            for image in data["panels"]["attributions"]:
                for drawn in image["maps"]:
                    del drawn["untrained"]
            for layer in data["panels"]["units"]:
                for unit in layer["units"]:
                    del unit["random"]
            data["panels"]["embedding"]["maps"] = data["panels"]["embedding"]["maps"][1:]
            probe = data["metrics"]["probe"]
            keep = [i for i, control in enumerate(probe["control"]) if control != "untrained"]
            data["metrics"]["probe"] = {name: [column[i] for i in keep] for name, column in probe.items()}
            del data["metrics"]["validation"]
        self.load(self.changed(self.pages["factors"], "uncontrolled", strip))
        for panel in ("hierarchy", "emergence", "training", "similarity", "filters", "units", "attribution", "embedding"):
            self.assertIn("control", self.text(f"#{panel} .refusal"), panel)
            self.assertEqual(self.browser.find_elements(By.CSS_SELECTOR, f"#{panel} svg, #{panel} canvas"), [], panel)
        self.quiet()

    def test_parts_of_a_unit_without_their_controls_are_not_drawn(self):
        def strip(data):
            for layer in data["panels"]["units"]:
                layer["ablation"]["random"] = []
                for unit in layer["units"]:
                    del unit["concept"]["chance"], unit["optimal"]["percentile"]
        self.load(self.changed(self.pages["factors"], "unit_controls", strip))
        for part in self.browser.find_elements(By.CSS_SELECTOR, "#units .pair > div, #units .unit > div:first-child"):
            self.assertRegex(part.text, "Not drawn: .* control, is missing")
            self.assertEqual(part.find_elements(By.CSS_SELECTOR, "svg[role=img], canvas"), [])
        self.assertEqual(self.browser.find_elements(By.CSS_SELECTOR, "#units canvas[aria-label='optimal stimulus']"), [])
        self.quiet()

    def test_hostile_labels_stay_text(self):
        evil = "</script><img src=x onerror=\"document.title='owned'\">"

        def poison(data):
            data["config"]["title"] = evil
            for factor in data["config"]["factors"]:
                factor["title"] = evil
                factor["values"] = [evil] * len(factor["values"])
            for layer in data["panels"]["units"]:
                for unit in layer["units"]:
                    unit["concept"]["best"][0]["name"] = unit["concept"]["untrained"]["name"] = evil
            data["panels"]["summary"] = {"question": evil, "answer": evil, "verdict": evil}
        self.load(self.changed(self.pages["factors"], "hostile", poison))
        self.assertEqual(self.browser.find_elements(By.CSS_SELECTOR, "img"), [])
        self.assertEqual(self.text("h1"), evil)
        self.assertNotEqual(self.browser.title, "owned")
        self.quiet()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for word in ("sample", "chromium", "driver"):
        parser.add_argument("--" + word, required=True)
    options, rest = parser.parse_known_args()
    unittest.main(argv=["report_browser"] + rest)
