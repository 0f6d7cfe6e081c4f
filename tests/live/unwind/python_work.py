# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Keeps extension modules busy: json, sqlite3, zlib, hashlib, re, decimal, sorting with callbacks."""
import collections
import decimal
import hashlib
import json
import re
import sqlite3
import zlib


def rows(n):
    return [{"id": i, "name": f"name {i}", "values": [i, i * 2, str(i)]} for i in range(n)]


def database_work(db, data):
    db.create_function("twice", 1, lambda x: x * 2)
    db.execute("create table if not exists t (id integer, body text)")
    db.executemany("insert into t values (?, ?)", [(r["id"], json.dumps(r)) for r in data])
    total = sum(r[0] for r in db.execute("select twice(id) from t order by body desc"))
    db.execute("delete from t")
    return total


def text_work(text):
    packed = zlib.compress(text.encode(), 6)
    digest = hashlib.sha256(zlib.decompress(packed)).hexdigest()
    words = re.findall(r"(\w+)\s+(\d+)", text)
    return digest, sorted(words, key=lambda w: (w[0], -int(w[1])))


def nested(depth, action):
    return action() if depth == 0 else nested(depth - 1, action)


def main():
    db = sqlite3.connect(":memory:")
    history = collections.deque(maxlen=200)  # what a process keeps
    while True:
        data = rows(200)
        text = json.dumps(data, indent=1)
        nested(5, lambda: json.loads(text))
        nested(3, lambda: database_work(db, data))
        nested(4, lambda: history.append((text_work(text), json.loads(text))))
        nested(2, lambda: decimal.Decimal(2).sqrt() ** decimal.Decimal("1.5"))


main()
