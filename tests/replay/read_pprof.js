// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Reads a pprof file with pprof-format and prints its samples as JSON: [[frames root first, values]].
'use strict';
const fs = require('node:fs');
const zlib = require('node:zlib');
const { Profile } = require('pprof-format');

const profile = Profile.decode(zlib.gunzipSync(fs.readFileSync(process.argv[2])));
const text = (index) => profile.stringTable.strings[Number(index)];
const byId = (items) => new Map(items.map((item) => [Number(item.id), item]));
const functions = byId(profile.function), locations = byId(profile.location);
// The decoder leaves int64 unsigned.
const signed = (value) => Number(BigInt.asIntN(64, BigInt(value)));
const frames = (sample) => sample.locationId.map((id) => locations.get(Number(id)))
  .flatMap((location) => location.line.map((line) => text(functions.get(Number(line.functionId)).name)));
console.log(JSON.stringify({
  units: profile.sampleType.map((type) => text(type.unit)),
  samples: profile.sample.map((sample) => [frames(sample).reverse(), sample.value.map(signed)]),
}));
