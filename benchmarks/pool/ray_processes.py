"""The cases of weft_processes.cpp with Ray's tasks."""

import _processes as common

try:
    import ray
except ImportError:
    common.missing("ray: pip install ray")


def with_ray(measure):
    ray.init(num_cpus=common.WORKERS, include_dashboard=False, log_to_driver=False)
    try:
        task = ray.remote(common.add)
        ray.get([task.remote(1, 1) for _ in range(100)])
        return measure(task)
    finally:
        ray.shutdown()


CASES = {
    "processes/round_trip": lambda sizes: with_ray(lambda task: common.measure_round_trip(
        lambda i: ray.get(task.remote(i, 1)), sizes["round_trip"])),
    "processes/rate": lambda sizes: with_ray(lambda task: common.measure_rate(
        lambda i: task.remote(i, 1), ray.get, sizes["rate"])),
}

if __name__ == "__main__":
    common.main(f"Ray {ray.__version__}", CASES)
