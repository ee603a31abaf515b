"""A Flight server by pyarrow that counts what is put and keeps nothing.

Usage: flight_server.py acks|silent|stalls. Prints its address, then, when standard input closes, what it counted, as JSON.
`acks` answers every batch; `silent` answers none and ends the stream well; `stalls` reads two batches and then does nothing.
"""

import json
import sys
import threading

import pyarrow as pa
import pyarrow.flight as flight


class Counter(flight.FlightServerBase):
    def __init__(self, manner):
        super().__init__("grpc://127.0.0.1:0")
        self.manner = manner
        self.lock = threading.Lock()
        self.seen = {"rows": 0, "batches": 0, "streams": 0, "rows_of_batches": [], "first_id": None, "columns": None, "sum": 0.0}
        self.never = threading.Event()

    def do_put(self, context, descriptor, reader, writer):
        with self.lock:
            self.seen["streams"] += 1
            self.seen["dataset"] = descriptor.path[0].decode()
            self.seen["columns"] = [f"{field.name}: {field.type}" for field in reader.schema]
        for number, chunk in enumerate(reader):
            self.count(chunk.data)
            if self.manner == "acks":
                writer.write(pa.py_buffer(b""))
            if self.manner == "stalls" and number == 1:
                self.never.wait()

    def count(self, batch):
        with self.lock:
            seen = self.seen
            seen["rows"] += batch.num_rows
            seen["batches"] += 1
            if batch.num_rows not in seen["rows_of_batches"]:
                seen["rows_of_batches"].append(batch.num_rows)
            if seen["first_id"] is None:
                seen["first_id"] = batch.column(0)[0].as_py()
                seen["sum"] = sum(batch.column(1)[0].as_py())


def main():
    server = Counter(sys.argv[1])
    print(f"grpc://127.0.0.1:{server.port}", flush=True)
    sys.stdin.read()
    print(json.dumps(server.seen), flush=True)
    server.never.set()
    # Streams that stall would keep the server from an orderly end.
    import os
    os._exit(0)


main()
