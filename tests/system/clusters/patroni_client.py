"""A client of a PostgreSQL cluster that writes without a pause, and knows what was acknowledged.

    patroni_client.py write PORT NAME FILE    inserts rows until FILE.stop exists
    patroni_client.py verify PORT NAME FILE   every acknowledged row is there
    patroni_client.py gap FILE FROM           the longest time without an acknowledgement, after FROM

FILE gets a line for each acknowledged row: its number and the monotonic clock in seconds; FILE.err
one for each error. A write that is refused as read-only reached a replica."""
import os
import sys
import time

import psycopg2


def connect(port):
    connection = psycopg2.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres",
                                  connect_timeout=5)
    connection.autocommit = True
    return connection


def write(port, name, path):
    number = 0
    connection = None
    with open(path, "w", buffering=1) as acknowledged, open(path + ".err", "w", buffering=1) as bad:
        while not os.path.exists(path + ".stop"):
            number += 1
            try:
                if connection is None:
                    connection = connect(port)
                cursor = connection.cursor()
                cursor.execute("INSERT INTO written VALUES (%s, %s)", (name, number))
                acknowledged.write(f"{number} {time.monotonic():.3f}\n")
                time.sleep(.005)
            except psycopg2.errors.ReadOnlySqlTransaction:
                bad.write("read-only\n")
                connection.close()
                connection = None
            except psycopg2.Error as error:
                bad.write(f"{type(error).__name__}: {str(error).splitlines()[:1]}\n")
                if connection is not None:
                    connection.close()
                connection = None
                time.sleep(.05)


def verify(port, name, path):
    cursor = connect(port).cursor()
    cursor.execute("SELECT number FROM written WHERE writer = %s", (name,))
    there = {number for number, in cursor.fetchall()}
    with open(path) as file:
        acknowledged = {int(line.split()[0]) for line in file}
    missing = sorted(acknowledged - there)
    print(f"{len(acknowledged)} acknowledged, {len(missing)} of them missing {missing[:5]}")
    return 1 if missing or not acknowledged else 0


def gap(path, begin):
    with open(path) as file:
        times = [float(line.split()[1]) for line in file]
    times = [begin] + [at for at in times if at > begin]
    print(f"{max(b - a for a, b in zip(times, times[1:])):.2f}")


if sys.argv[1] == "write":
    write(*sys.argv[2:])
elif sys.argv[1] == "verify":
    sys.exit(verify(*sys.argv[2:]))
else:
    gap(sys.argv[2], float(sys.argv[3]))
