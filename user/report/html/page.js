// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The page from top to bottom.

function showHead(host, data) {
  const report = data.report;
  const name = baseName(report.target.exe) || 'unknown process';
  host.append(element('h1', {}, ['asrtrace: ', element('span', { class: 'target' }, name)]));
  if (report.target.cmdline.length) {
    host.append(element('p', { class: 'command' }, element('code', {}, report.target.cmdline.join(' '))));
  }
  for (const damage of data.damage) host.append(element('p', { class: 'warn' }, 'Damaged trace, missing: ' + damage));
  const started = new Date(1000 * report.window.start_unix_seconds);
  const rss = report.memory && report.memory.rss_anon;
  const tiles = [
    ['process', 'pid ' + report.target.pid],
    [unitWord(data) + 's', grouped(report.window.requests)],
    ['traced for', seconds(report.window.seconds)],
    ['started', started.toISOString().slice(0, 16).replace('T', ' ') + ' UTC'],
    ['RssAnon', rss ? `${bytes(rss.first)} \u2192 ${bytes(rss.last)}` : 'not sampled'],
    ['change', rss ? signedBytes(rss.delta) : '-'],
    ['tier', (report.overhead && report.overhead.tier) || 'unknown'],
    ['ended by', report.window.ended_by || 'unknown'],
  ];
  host.append(element('dl', { class: 'tiles' }, tiles.map(([key, value]) =>
    element('div', {}, [element('dt', {}, key), element('dd', {}, value)]))));
}

function forecastText(finding, data) {
  const at = finding.forecast.at_request;
  return (at <= data.report.window.requests ? 'Came' : 'Will come') +
    ` to rest at ${bytes(finding.forecast.plateau_bytes)}, after about ${grouped(at)} ${unitWord(data)}s.`;
}

const kindWords = { mapped: 'mappings', warmup: 'warm-up', stack: 'stacks', file: 'file pages' };

function findingCard(finding, culprit, data) {
  const rate = finding.bytes_per_request === null ? null :
    rateText({ slope: finding.bytes_per_request, ci95: finding.ci95 }, unitWord(data));
  const grave = finding.kind === 'leak' || finding.subkind === 'unbounded' ? 'grave'
    : finding.kind === 'inconclusive' || finding.kind === 'warmup' ? 'mild' : 'middle';
  const evidence = finding.evidence.concat(finding.forecast ? [forecastText(finding, data)] : []);
  return element('article', { class: 'finding ' + grave, 'data-id': finding.id }, [
    element('h3', {}, [element('span', { class: 'kind' }, (kindWords[finding.kind] || finding.kind) + (finding.subkind ? ', ' + finding.subkind : '')),
      element('span', { class: 'confidence' }, finding.confidence)]),
    element('p', { class: 'amount' }, [element('b', {}, bytes(finding.bytes)), rate ? ', ' + rate : '']),
    element('ul', {}, evidence.map((line) => element('li', {}, line))),
    finding.advice ? element('p', { class: 'advice' }, finding.advice) : null,
    finding.stack.length ? element('details', {}, [
      element('summary', {}, (finding.kind === 'retention' ? 'Pinned by ' : 'By ') + frameText(data, culprit) +
        (finding.more_stacks ? `, and ${counted(finding.more_stacks, 'more stack')}` : '')), stackList(finding.stack)]) : null]);
}

const findingsAtOnce = 25;

function showFindings(host, data) {
  const findings = data.report.findings;
  if (!findings.length) {
    host.append(element('p', { class: 'none' }, data.report.window.requests < 20
      ? `None: ${data.report.window.requests} ${unitWord(data)}s are too few to tell growth from chance.`
      : 'None: no growth that lasts.'));
  }
  const cards = findings.map((finding, i) => findingCard(finding, data.culprits[i], data));
  host.append(...cards.slice(0, findingsAtOnce));
  const rest = cards.slice(findingsAtOnce);
  if (!rest.length) return;
  const omitted = data.findings_omitted ? `; ${grouped(data.findings_omitted)} others are in the JSON report` : '';
  const more = element('button', { type: 'button', click: () => more.replaceWith(...rest) },
    `Show ${counted(rest.length, 'more finding')}${omitted}`);
  host.append(more);
}

function showRequests(host, data) {
  const requests = data.report.requests;
  if (!requests) {
    host.append(element('p', {}, 'No source: nothing is told by request.'));
    return;
  }
  const rows = [['source', requests.spec || requests.source], ['completed', grouped(requests.count)]];
  if (requests.attributed_fraction !== null) {
    rows.push(['memory events that belong to one', (100 * requests.attributed_fraction).toFixed(1) + ' %']);
  }
  for (const key of Object.keys(requests.latency_ms || {})) {
    rows.push(['latency, ' + key, requests.latency_ms[key].toFixed(1) + ' ms']);
  }
  host.append(element('div', { class: 'scroll' }, table(['', ''], rows, { class: 'figures plain' })));
  const paths = requests.by_path || [];
  if (!paths.length) return;
  host.append(element('div', { class: 'scroll' }, table(['path', 'requests', 'bytes a request'], paths.map((path) =>
    [path.path, grouped(path.count), path.bytes_per_request === null ? '-' : bytes(path.bytes_per_request)]),
  { class: 'figures' })));
}

const costWords = {
  probe_hits: ['probe hits', grouped], program_seconds: ['in programs', seconds],
  trap_seconds_estimated: ['in traps, estimated', seconds],
  target_cpu_fraction: ['share of the target\u2019s CPU', (value) => (100 * value).toFixed(2) + ' %'],
  target_cpu_seconds: ['CPU of the target', seconds], tracer_cpu_seconds: ['CPU of the tracer', seconds],
  tracer_rss: ['memory of the tracer', bytes], attach_seconds: ['attaching took', seconds],
  detach_seconds: ['detaching took', seconds],
};

function costRows(overhead) {
  return Object.keys(overhead).map((key) => {
    const [words, form] = costWords[key] || [key.replace(/_/g, ' '), (value) =>
      (typeof value === 'object' ? JSON.stringify(value) : String(value))];
    return [words, overhead[key] === null ? 'not measured' : form(overhead[key])];
  });
}

function showCost(host, data) {
  const report = data.report;
  if (!report.overhead) {
    host.append(element('p', {}, 'Not known: that part of the trace is damaged.'));
  } else {
    host.append(element('div', { class: 'scroll' }, table(['', ''], costRows(report.overhead), { class: 'figures plain' })));
  }
  const lost = data.losses.filter((loss) => loss.count).map((loss) => `${grouped(loss.count)} ${loss.meaning}`)
    .concat(((report.losses && report.losses.attach_failed) || []).map((failed) => 'not attached: ' + failed));
  host.append(element('h3', {}, 'Losses'), lost.length
    ? element('ul', { class: 'losses' }, lost.map((line) => element('li', {}, line)))
    : element('p', { class: 'losses' }, report.losses ? 'Nothing lost.' : 'Not known.'));
  if (!report.notes.length) return;
  host.append(element('h3', {}, 'Notes'), element('ul', {}, report.notes.map((note) => element('li', {}, note))));
}

function showNavigation(nav) {
  for (const section of document.querySelectorAll('main > section')) {
    const words = section.querySelector('h2').textContent.split(':')[0];
    nav.append(element('a', { href: '#' + section.id }, words));
  }
}

const data = JSON.parse(document.getElementById('data').textContent);
showHead(document.getElementById('head'), data);
showNavigation(document.querySelector('nav'));
for (const [id, show] of [['findings', showFindings], ['books', showBooks], ['growth', showGrowth],
  ['arenas', showArenas], ['flames', showFlames], ['sites', showSites], ['requests', showRequests], ['cost', showCost]]) {
  show(document.querySelector('#' + id + ' > div'), data);
}
document.documentElement.setAttribute('data-ready', '');
