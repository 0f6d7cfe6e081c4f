# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A FastAPI application: requests on the event loop, on pool threads, and uploads."""

import asyncio
import random
import time

from fastapi import FastAPI, File, UploadFile

app = FastAPI()
kept = []


@app.get("/async")
async def on_the_loop(ms: float = 1):
    await asyncio.sleep(random.uniform(0.5, 1.5) * ms / 1000)
    return {"text": "x" * 100}


@app.get("/sync")
def on_a_pool_thread(ms: float = 1):
    time.sleep(random.uniform(0.5, 1.5) * ms / 1000)
    return {"text": "x" * 100}


@app.post("/upload")
async def upload(audio_file: UploadFile = File(...)):
    return {"bytes": len(await audio_file.read())}


@app.get("/leaky")
async def leaky():
    """bytearray takes its memory from malloc."""
    kept.append(bytearray(5000))
    await asyncio.sleep(0.001)
    return {"kept": len(kept)}
