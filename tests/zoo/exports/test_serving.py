"""The client of the guide, against a SavedModel behind the JSON of TensorFlow Serving."""

import json
import re
import threading
import urllib.error
import urllib.request
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.exports.samples import photographs

GUIDE = (Path(__file__).parents[3] / "docs/serving.md").read_text()
ADDRESS = "http://localhost:8501"

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="export needs the TensorFlow backend"
)


class Serving(BaseHTTPRequestHandler):
    """The predict API of TensorFlow Serving: instances in rows, one signature of one model."""

    def __init__(self, name, signatures, *given):
        self.name, self.signatures = name, signatures
        super().__init__(*given)

    def log_message(self, *given):
        pass

    def do_POST(self):
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        signature = said.get("signature_name", "serving_default")
        if self.path != f"/v1/models/{self.name}:predict" or signature not in self.signatures:
            return self.answer(404, {"error": f"no {self.path} with {signature}"})
        return self.answer(200, {"predictions": self.predict(signature, said["instances"])})

    def predict(self, signature, instances):
        import tensorflow as tf

        function = self.signatures[signature]
        _, inputs = function.structured_input_signature
        rows = [each if isinstance(each, dict) else {min(inputs): each} for each in instances]
        given = {
            name: tf.constant([row[name] for row in rows], spec.dtype)
            for name, spec in inputs.items()
        }
        return next(iter(function(**given).values())).numpy().tolist()

    def answer(self, code, content):
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def served(request, tmp_path):
    """Yield the address of a server that has one network, exported as the guide says."""
    import tensorflow as tf

    name, weight = request.param
    (tmp_path / "models" / name).mkdir(parents=True)
    zoo.export(weight, tmp_path / "models" / name / "1")
    loaded = tf.saved_model.load(str(tmp_path / "models" / name / "1"))
    handler = partial(Serving, name, loaded.signatures)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def ask(address, name, body):
    url = f"{address}/v1/models/{name}:predict"
    request = urllib.request.Request(url, json.dumps(body).encode())
    with urllib.request.urlopen(request) as answer:
        return np.array(json.load(answer)["predictions"])


@pytest.mark.slow
@pytest.mark.parametrize("served", [("srcnn", "srcnn-955-x3")], indirect=True)
def test_the_program_of_the_guide_gets_what_restore_gives(served, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photo = photographs("test")[0][:40, :56]
    Image.fromarray(photo).save("photo.png")
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert ADDRESS in code
    program = compile(code.replace(ADDRESS, served), "guide", "exec")
    exec(program, {})
    expected = zoo.restore("srcnn-955-x3", photo)
    np.testing.assert_array_equal(np.asarray(Image.open("large.png")), expected)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(served, "srcnn", {"signature_name": "other", "instances": [photo.tolist()]})


@pytest.mark.slow
@pytest.mark.parametrize("served", [("ffdnet", "ffdnet-gray")], indirect=True)
def test_two_inputs_are_named(served):
    photo = np.random.default_rng(0).integers(0, 256, (21, 30, 1), dtype=np.uint8)
    instance = {"image": photo.tolist(), "sigma": [25 / 255]}
    found = ask(served, "ffdnet", {"signature_name": "serve_uint8", "instances": [instance]})
    expected = zoo.restore("ffdnet-gray", photo, sigma=25 / 255)
    assert np.abs(found[0].astype(int) - expected.astype(int)).max() <= 1
    assert (found[0] != expected).mean() < 0.01
