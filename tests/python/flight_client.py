"""Puts, searches, deletes and reads through pyarrow's own Flight client: what an outsider's client sees of `soak target`.

Usage: flight_client.py DATA_URL META_URL. Prints one JSON document.
"""

import json
import sys

import pyarrow as pa
import pyarrow.flight as flight

DIM = 8


def batch(ids, id_type):
    vectors = pa.FixedSizeListArray.from_arrays(
        pa.array([float(i) for i in ids for _ in range(DIM)], pa.float32()), DIM
    )
    values = [i if pa.types.is_integer(id_type) else f"row-{i}" for i in ids]
    return pa.record_batch([pa.array(values, id_type), vectors], names=["id", "vector"])


def act(client, kind, body):
    results = client.do_action(flight.Action(kind, json.dumps(body).encode()))
    return b"".join(result.body.to_pybytes() for result in results)


def search(meta, dataset, value, k):
    body = act(meta, "VectorSearch", {"dataset": dataset, "vector": [value] * DIM, "k": k})
    return pa.ipc.open_stream(body).read_all().to_pydict()["id"]


def until_ready(meta, dataset):
    for _ in range(1000):
        if json.loads(act(meta, "check_readiness", {"dataset": dataset}))["status"] == "READY":
            return
    raise SystemExit("never ready")


def exercise(data, meta, dataset, id_type):
    # In no order: rows beside each other that are indexed at the same time may miss each other.
    first = batch([n * 37 % 100 for n in range(100)], id_type)
    writer, answers = data.do_put(flight.FlightDescriptor.for_path(dataset), first.schema)
    acks = 0
    for part in (first, batch([100 + n * 37 % 50 for n in range(50)], id_type)):
        writer.write_batch(part)
        answers.read()
        acks += 1
    writer.done_writing()
    writer.close()
    until_ready(meta, dataset)
    name = (lambda i: i) if pa.types.is_integer(id_type) else (lambda i: f"row-{i}")
    found = search(meta, dataset, 40.2, 3)
    act(meta, "delete", {"dataset": dataset, "id": str(name(40))})
    after = search(meta, dataset, 40.2, 3)
    rows = data.do_get(flight.Ticket(json.dumps({"name": dataset}).encode())).read_all().num_rows
    try:
        act(meta, "delete", {"dataset": dataset, "id": "nobody"})
        refused = False
    except (flight.FlightError, pa.lib.ArrowException):
        refused = True
    act(meta, "delete-dataset", {"dataset": dataset})
    return {
        "acks": acks,
        "found": sorted(found) == sorted(name(i) for i in (39, 40, 41)),
        "gone": name(40) not in after and len(after) == 3,
        "rows": rows,
        "refused": refused,
    }


def main():
    data, meta = (flight.connect(url) for url in sys.argv[1:3])
    print(json.dumps({
        "int64": exercise(data, meta, "numbers", pa.int64()),
        "utf8": exercise(data, meta, "texts", pa.utf8()),
    }))


main()
