"""The model of a server of _triton.py, in the process that Triton's Python backend starts."""

import json
import types

import numpy as np
import triton_python_backend_utils as triton

from . import _http_server as common


class TritonPythonModel:
    def initialize(self, args):
        weights = json.loads(args["model_config"])["parameters"]["weights"]["string_value"]
        self.model = common.make_model(types.SimpleNamespace(model=args["model_name"], weights=weights))

    def execute(self, requests):
        items = [triton.get_input_tensor_by_name(request, "input").as_numpy() for request in requests]
        results = np.split(self.model(np.concatenate(items)), np.cumsum([len(each) for each in items])[:-1])
        return [triton.InferenceResponse([triton.Tensor("output", result)]) for result in results]
