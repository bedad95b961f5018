"""The cases of weft_processes.cpp with Dask's local cluster of processes."""

from _processes import WORKERS, add, main, measure_rate, measure_round_trip, missing

try:
    import distributed
except ImportError:
    missing("distributed: pip install distributed")


def with_client(measure):
    with distributed.LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster:
        with distributed.Client(cluster) as client:
            client.submit(add, 1, 1, pure=False).result()
            return measure(client)


CASES = {
    "processes/round_trip": lambda sizes: with_client(lambda client: measure_round_trip(
        lambda i: client.submit(add, i, 1, pure=False).result(), sizes["round_trip"] // 5)),
    "processes/rate": lambda sizes: with_client(lambda client: measure_rate(
        lambda i: client.submit(add, i, 1, pure=False), lambda call: call.result(), sizes["rate"] // 5)),
}

if __name__ == "__main__":
    main(f"distributed {distributed.__version__}", CASES)
