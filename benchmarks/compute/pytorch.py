"""PyTorch on one CPU thread, or two where the case says so: the cases of weft.cpp that it has."""

import argparse
import json
import sys
import time

try:
    import torch
except ImportError:
    print("PyTorch is not installed")
    sys.exit(77)

ROWS = COLUMNS = 1024
LARGE = 1 << 24


def product(size, dtype=torch.float32):
    a = (torch.arange(size * size) * 7 % 5 - 2.0).reshape(size, size).to(dtype)
    b = (torch.arange(size * size) * 3 % 7 - 3.0).reshape(size, size).to(dtype)
    out = torch.empty(size, size, dtype=dtype)

    def check():
        assert torch.equal(out[0], (a[0].double() @ b.double()).to(dtype))

    return lambda: torch.mm(a, b, out=out), check, 2.0 * size**3, "items/s"


def product_row(size, transposed=False):
    a = (torch.arange(size) * 7 % 5 - 2.0).reshape(1, size)
    b = (torch.arange(size * size) * 3 % 7 - 3.0).reshape(size, size)
    b = b.T if transposed else b
    out = torch.empty(1, size)

    def check():
        assert torch.equal(out.double(), a.double() @ b.double())

    return lambda: torch.mm(a, b, out=out), check, 2.0 * size**2, "items/s"


def add():
    a = torch.full((LARGE,), 1.5)
    out = torch.empty(LARGE)

    def check():
        assert out[-1] == 3.0

    return lambda: torch.add(a, a, out=out), check, LARGE * 12.0, "bytes/s"


def reduce_sum():
    a = torch.full((LARGE,), 0.5)
    result = []

    def run():
        result[:] = [torch.sum(a)]

    def check():
        assert result[0] == LARGE / 2

    return run, check, LARGE * 4.0, "bytes/s"


SHORT_ROW = 64


def matrix(rows):
    return (torch.arange(LARGE) % 4).float().reshape(rows, -1)


def reduce_matrix(a, reduce, expected):
    result = []

    def run():
        result[:] = [reduce(a)]

    def check():
        assert result[0][3] == expected

    return run, check, LARGE * 4.0, "bytes/s"


def add_row():
    a, row = torch.full((LARGE // SHORT_ROW, SHORT_ROW), 1.5), torch.full((SHORT_ROW,), 2.0)
    out = torch.empty_like(a)

    def check():
        assert out[3, 3] == 3.5

    return lambda: torch.add(a, row, out=out), check, LARGE * 8.0, "bytes/s"


def rows():
    return (torch.arange(COLUMNS) / 100.0).repeat(ROWS, 1)


def softmax():
    a = rows()
    out = torch.empty_like(a)

    def check():
        assert 0.009 < out[3, -1] < 0.011

    return lambda: torch.softmax(a, 1, out=out), check, float(ROWS * COLUMNS), "items/s"


def layer_norm():
    a, scale, shift = rows(), torch.ones(COLUMNS), torch.zeros(COLUMNS)
    result = []

    def run():
        result[:] = [torch.nn.functional.layer_norm(a, (COLUMNS,), scale, shift)]

    def check():
        assert 1.72 < result[0][3, -1] < 1.74

    return run, check, float(ROWS * COLUMNS), "items/s"


IMAGES = 8
SIDES = 56, 28, 14, 7


def layer(side, images=IMAGES, stride=1):
    planes = 56 * 64 // side
    a, w = torch.ones(images, planes, side, side), torch.ones(planes * stride, planes, 3, 3)
    b, result = torch.zeros(planes * stride), []

    def run():
        result[:] = [torch.nn.functional.conv2d(a, w, b, stride=stride, padding=1)]

    def check():
        assert result[0][-1, 2, 1, 1] == 9 * planes

    return run, check, 2.0 * images * planes * stride * planes * 9 * (side // stride) ** 2, "items/s"


def conv2d_backward(side):
    planes = 56 * 64 // side
    a, w = torch.ones(IMAGES, planes, side, side), torch.ones(planes, planes, 3, 3)
    result = []

    def run():
        result[:] = torch.ops.aten.convolution_backward(
            a, a, w, [planes], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [True, True, True])

    def check():
        assert result[0][3, 2, 1, 1] == 9 * planes and result[1][3, 2, 1, 1] == IMAGES * side * side

    return run, check, 4.0 * IMAGES * planes * planes * 9 * side**2, "items/s"


def adam():
    parameter = torch.nn.Parameter(torch.zeros(LARGE))
    parameter.grad = torch.full((LARGE,), 0.5)
    optimizer = torch.optim.Adam([parameter], fused=True)

    def check():
        assert -0.00101 < parameter.data[-1] < -0.00099

    return optimizer.step, check, float(LARGE), "items/s"


def batched():
    a = (torch.arange(64**3) * 7 % 5 - 2.0).reshape(64, 64, 64)
    b = (torch.arange(64**3) * 3 % 7 - 3.0).reshape(64, 64, 64)
    out = torch.empty(64, 64, 64)

    def check():
        assert torch.equal(out[5].double(), a[5].double() @ b[5].double())

    return lambda: torch.bmm(a, b, out=out), check, 2.0 * 64**4, "items/s"


SIZES = (256, 512, 1024, 2048)
ROW_SIZES = (512, 4096)
CASES = {
    **{f"product/{size}": (lambda size=size: product(size)) for size in SIZES},
    **{f"product_bf16/{size}": (lambda size=size: product(size, torch.bfloat16)) for size in SIZES},
    **{f"product_row/{size}": (lambda size=size: product_row(size)) for size in ROW_SIZES},
    **{f"product_row_transposed/{size}": (lambda size=size: product_row(size, True)) for size in ROW_SIZES},
    "add": add,
    "sum": reduce_sum,
    "sum_rows": lambda: reduce_matrix(matrix(LARGE // SHORT_ROW), lambda a: torch.sum(a, 1), 1.5 * SHORT_ROW),
    "sum_columns": lambda: reduce_matrix(matrix(4096), lambda a: torch.sum(a, 0), 3.0 * 4096),
    "max_columns": lambda: reduce_matrix(matrix(4096), lambda a: torch.amax(a, 0), 3.0),
    "argmax_rows": lambda: reduce_matrix(matrix(LARGE // SHORT_ROW), lambda a: torch.argmax(a, 1), 3),
    "add_row": add_row,
    "softmax": softmax,
    "layer_norm": layer_norm,
    "batched/64": batched,
    **{f"conv2d/{side}": (lambda side=side: layer(side)) for side in SIDES},
    **{f"conv2d_strided/{side}": (lambda side=side: layer(side, stride=2)) for side in SIDES[:3]},
    **{f"conv2d_image_two_threads/{side}": (lambda side=side: layer(side, images=1)) for side in SIDES},
    **{f"conv2d_backward/{side}": (lambda side=side: conv2d_backward(side)) for side in SIDES},
    "adam": adam,
    **{f"product_two_threads/{size}": (lambda size=size: product(size)) for size in SIZES},
    **{f"product_bf16_two_threads/{size}": (lambda size=size: product(size, torch.bfloat16)) for size in SIZES},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=list(CASES))
    parser.add_argument("--list", action="store_true", help="print the cases' names")
    parser.add_argument("--quick", action="store_true", help="a shorter measurement")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(CASES))
        return 0
    if arguments.case is None:
        parser.error("--case NAME or --list is needed")
    torch.set_num_threads(2 if "two_threads" in arguments.case else 1)
    torch.set_grad_enabled(False)
    run, check, work, unit = CASES[arguments.case]()
    run()
    check()
    limit = 0.1 if arguments.quick else 0.5
    count = 0
    start = time.perf_counter()
    while time.perf_counter() - start < limit:
        run()
        count += 1
    seconds = (time.perf_counter() - start) / count
    row = {"case": arguments.case, "value": work / seconds, "unit": unit}
    print(json.dumps({**row, "version": f"PyTorch {torch.__version__}"}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
