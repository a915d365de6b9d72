'use strict';
/* The status page. Each second the server sends what it knows now; the lines of the last minutes
   are kept here. What has happened before is asked for whenever there is a newer event. */
const KEPT = 300, TIMELINE = 60, EVENTS = 200;
const kept = new Map();   // of each line: its last values
const before = new Map(); // of each counter: [value, time]
let token = '', admin = false;
let newest = '', asking = false; // of the timeline
let past = {events: [], history: []}, present = null; // the last status

const $ = (id) => document.getElementById(id);

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

/* The text format of Prometheus: name{label="value",...} number. */
function readMetrics(text) {
  const all = new Map();
  for (const line of text.split('\n')) {
    if (!line || line[0] === '#') continue;
    const space = line.lastIndexOf(' '), brace = line.indexOf('{');
    const name = line.slice(0, brace >= 0 ? brace : space), labels = {};
    if (brace >= 0)
      for (const [, key, value] of line.slice(brace, space).matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
        labels[key] = value.replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));
    if (!all.has(name)) all.set(name, []);
    all.get(name).push({labels, value: Number(line.slice(space + 1))});
  }
  return all;
}

/* The sum of a metric over all series that have these labels; null: there is none. */
function sum(metrics, name, labels = {}) {
  let found = null;
  for (const row of metrics.get(name) || [])
    if (Object.entries(labels).every(([key, value]) => row.labels[key] === value))
      found = (found || 0) + row.value;
  return found;
}

const number = (n) => (n === null || n === undefined ? '–' : n.toLocaleString('en'));

function bytes(n) {
  if (n === null || n === undefined) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let i = 0;
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1000;
  return (i && n < 100 ? n.toFixed(1) : Math.round(n)) + ' ' + units[i];
}

function span(seconds) {
  seconds = Math.max(0, Math.round(seconds));
  if (seconds < 60) return seconds + 's';
  if (seconds < 3600) return Math.floor(seconds / 60) + 'm ' + (seconds % 60) + 's';
  if (seconds < 86400) return Math.floor(seconds / 3600) + 'h ' + Math.floor((seconds % 3600) / 60) + 'm';
  return Math.floor(seconds / 86400) + 'd ' + Math.floor((seconds % 86400) / 3600) + 'h';
}

/* How fast a counter grows, for each second. */
function rate(key, value, now) {
  const last = before.get(key);
  before.set(key, [value, now]);
  return !last || value === null || value < last[0] || now <= last[1]
    ? 0 : (value - last[0]) * 1000 / (now - last[1]);
}

function keep(key, value) {
  if (!kept.has(key)) kept.set(key, []);
  const values = kept.get(key);
  values.push(value);
  if (values.length > KEPT) values.shift();
  return values;
}

function spark(values, title) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg'), line = document.createElementNS(space, 'polyline');
  const most = Math.max(1, ...values);
  svg.setAttribute('viewBox', '0 0 ' + (KEPT - 1) + ' 20');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', title);
  line.setAttribute('points', values.map((value, i) =>
    (KEPT - values.length + i) + ',' + (19 - 18 * value / most).toFixed(1)).join(' '));
  svg.append(line);
  return svg;
}

/* --- tables --- */

function head(table, columns) {
  if (table.tHead) return table.tBodies[0];
  const row = table.createTHead().insertRow();
  for (const column of columns)
    row.append(element('th', column.replace(/^#/, ''), column[0] === '#' ? 'n' : ''));
  return table.createTBody();
}

/* The row of that key, with so many cells; rows that stay are changed in place, so that a button
   that is about to be clicked does not vanish. */
function rows(body) {
  const old = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  const seen = [];
  return {
    row(key) {
      let row = old.get(key);
      if (!row) {
        row = document.createElement('tr');
        row.dataset.key = key;
      }
      old.delete(key);
      seen.push(row);
      return row;
    },
    end() {
      for (const row of old.values()) row.remove();
      seen.forEach((row, i) => { if (body.rows[i] !== row) body.insertBefore(row, body.rows[i] || null); });
    },
  };
}

function fill(row, cells) {
  cells.forEach((cell, i) => {
    let td = row.cells[i];
    if (!td) td = row.insertCell();
    const {text, kind = '', node, field} = typeof cell === 'object' && cell ? cell : {text: cell};
    td.className = kind;
    if (field) td.dataset.field = field;
    if (node) {
      if (!node.keep || !td.firstChild) td.replaceChildren(node.keep || node);
    } else if (td.textContent !== String(text)) {
      td.textContent = text;
    }
  });
}

const n = (text, field) => ({text, kind: 'n', field});

function drawFigures(status, metrics, now) {
  const sessions = sum(metrics, 'rpproxy_sessions_total');
  const live = sum(metrics, 'rpproxy_live_sessions'), limit = sum(metrics, 'rpproxy_max_sessions');
  const perSecond = rate('sessions', sessions, now);
  const into = sum(metrics, 'rpproxy_bytes_total', {direction: 'in'});
  const out = sum(metrics, 'rpproxy_bytes_total', {direction: 'out'});
  const inRate = rate('in', into, now), outRate = rate('out', out, now);
  const cards = [
    ['Sessions now', 'live', number(live) + (limit ? ' / ' + number(limit) : ''), keep('live', live)],
    ['Sessions in all', 'sessions', number(sessions), null],
    ['Sessions/s', '', perSecond.toFixed(1), keep('rate', perSecond)],
    ['From clients', 'in', bytes(into), keep('in/s', inRate), bytes(inRate) + '/s'],
    ['From servers', 'out', bytes(out), keep('out/s', outRate), bytes(outRate) + '/s'],
    ['Failed, cut', 'failed', number(sum(metrics, 'rpproxy_failed_sessions_total')) + ', ' +
      number(sum(metrics, 'rpproxy_cut_sessions_total')), null],
    ['Failed connects', 'connects', number(sum(metrics, 'rpproxy_connect_errors_total')), null],
  ];
  $('figures').replaceChildren(...cards.map(([title, field, value, values, more]) => {
    const card = element('div', null, 'card'), bold = element('b', value);
    if (field) bold.dataset.field = field;
    card.append(element('span', title, 'soft'), bold);
    if (more) card.append(element('span', more, 'soft'));
    if (values) card.append(spark(values, title));
    return card;
  }));
}

function frontendState(frontend) {
  if (!frontend.paused) return {text: 'accepting', kind: 'good', field: 'state'};
  return {text: 'paused' + (frontend.waiting === null ? '' : ', ' + frontend.waiting + ' wait'), kind: 'warn',
    field: 'state'};
}

function pauseButtons(frontend) {
  const box = element('span');
  for (const what of ['pause', 'resume']) {
    const button = element('button', what);
    button.dataset.set = what;
    button.addEventListener('click', () => change({action: 'frontend', frontend, set: what}));
    box.append(button, ' ');
  }
  return box;
}

/* Sessions that ended otherwise than done. */
function endedBadly(get, name) {
  const all = get(name);
  return all === null ? null : all - (get(name, {reason: 'done'}) || 0);
}

function drawFrontends(status, metrics, now) {
  const table = rows(head($('frontends'), ['Frontend', 'Backend', 'State', '#Now', '#Most', '#Limit',
    '#In all', '#Sessions/s', '#In', '#Out', '#Denied', '#Waited', '#Ended badly', 'Last minutes', '']));
  for (const frontend of status.frontends) {
    const of = {frontend: frontend.name}, get = (name, more) => sum(metrics, name, {...of, ...more});
    const all = get('rpproxy_frontend_sessions_total'), live = get('rpproxy_frontend_live_sessions');
    const perSecond = rate('f/' + frontend.name, all, now);
    const row = table.row(frontend.name);
    fill(row, [frontend.name, frontend.backend || 'by route', frontendState(frontend),
      n(number(live), 'live'),
      n(number(get('rpproxy_frontend_most_sessions')), 'most'), n(number(frontend.max_sessions || null), 'limit'),
      n(number(all), 'all'), n(perSecond.toFixed(1)),
      n(bytes(get('rpproxy_frontend_bytes_total', {direction: 'in'})), 'in'),
      n(bytes(get('rpproxy_frontend_bytes_total', {direction: 'out'})), 'out'),
      n(number(get('rpproxy_frontend_denied_total')), 'denied'),
      n(number(get('rpproxy_frontend_waits_total')), 'waited'),
      n(number(endedBadly(get, 'rpproxy_frontend_session_ends_total')), 'ends'),
      {node: spark(keep('f/' + frontend.name, perSecond), 'sessions per second')},
      {node: admin ? {keep: pauseButtons(frontend.name)} : element('span')}]);
  }
  table.end();
}

function serverState(server) {
  if (server.admin === 'maint') return ['maint', 'soft'];
  if (server.admin === 'drain') return ['drain', 'warn'];
  if (server.ejected_ms > 0) return ['ejected', 'bad'];
  if (server.check === 'down' || server.check === 'DOWN') return ['down', 'bad'];
  if (!server.usable) return server.backup ? ['standby', 'soft'] : ['not used', 'warn'];
  return [server.check === 'off' ? 'unchecked' : 'up', 'good'];
}

function buttons(backend, server) {
  const box = element('span'), which = backend.name + '/' + server.name;
  for (const what of ['ready', 'drain', 'maint']) {
    const button = element('button', what);
    button.dataset.set = what;
    button.addEventListener('click', () => change({action: 'server', server: which, set: what}));
    box.append(button, ' ');
  }
  const weight = element('button', 'weight');
  weight.dataset.set = 'weight';
  weight.addEventListener('click', () => {
    const wanted = prompt('Weight of ' + which + ' (0 to 256)', server.weight);
    if (wanted !== null) change({action: 'server', server: which, set: 'weight=' + wanted.trim()});
  });
  box.append(weight);
  return box;
}

const SERVER_COLUMNS = ['Server', 'Address', 'State', '#Weight', '#Queued', '#Most queued', '#Queue limit',
  '#Now', '#Most', '#Limit', '#In all', '#Sessions/s', '#In', '#Out', '#Failed connects', '#Retries',
  '#Ended badly', 'Last check', '#Failed checks', '#Downs', '#Downtime', 'Since', 'Last minutes'];

/* A backend, with what it has in all. */
function backendCells(backend, metrics, now) {
  const of = {backend: backend.name}, get = (name, more) => sum(metrics, name, {...of, ...more});
  const all = get('rpproxy_backend_sessions_total'), perSecond = rate('b/' + backend.name, all, now);
  const queue = (name) => n(backend.waiting === undefined ? '' : number(get(name)), name.split('_')[2]);
  return [backend.name, '', {text: backend.usable + ' of ' + backend.servers.length + ' usable',
    kind: backend.usable ? 'soft' : 'bad', field: 'state'}, '', queue('rpproxy_backend_waiting_sessions'),
    queue('rpproxy_backend_most_waiting_sessions'), queue('rpproxy_backend_max_waiting_sessions'),
    n(number(get('rpproxy_backend_live_sessions')), 'live'), '', '', n(number(all), 'all'),
    n(perSecond.toFixed(1)), n(bytes(get('rpproxy_backend_bytes_total', {direction: 'in'})), 'in'),
    n(bytes(get('rpproxy_backend_bytes_total', {direction: 'out'})), 'out'),
    n(number(get('rpproxy_backend_connect_failures_total')), 'connects'),
    n(number(get('rpproxy_backend_retries_total')), 'retries'),
    n(number(endedBadly(get, 'rpproxy_backend_session_ends_total')), 'ends'), '', '', '', '', '',
    {node: spark(keep('b/' + backend.name, perSecond), 'connections per second')}, ''];
}

const total = (counts) => Object.values(counts || {}).reduce((a, b) => a + b, 0);

/* Where the metrics have no series of servers (metrics-servers), the status has the same. */
function serverCells(backend, server, metrics, now) {
  const key = backend.name + '/' + server.name, of = {backend: backend.name, server: server.name};
  const get = (name, more) => sum(metrics, 'rpproxy_server_' + name, {...of, ...more});
  const all = get('sessions_total') ?? server.sessions_total, [state, kind] = serverState(server);
  const perSecond = rate('s/' + key, all, now), checked = server.check !== 'off';
  const check = (server.last_check || '–') +
    (checked && server.last_check ? ' (' + Math.round(server.check_ms * 1000) / 1000 + ' ms)' : '');
  return [server.name + (server.backup ? ' (backup)' : ''), server.address,
    {text: state + (server.usable && server.share_percent < 100 ? ', starts slowly' : ''), kind, field: 'state'},
    n(server.weight, 'weight'), '', '', '',
    n(number(get('live_sessions') ?? server.sessions), 'live'),
    n(number(get('most_sessions') ?? server.most_sessions), 'most'),
    n(number(get('max_sessions') || server.maxconn || null), 'limit'), n(number(all), 'all'),
    n(perSecond.toFixed(1)), n(bytes(get('bytes_total', {direction: 'in'}) ?? server.client_bytes), 'in'),
    n(bytes(get('bytes_total', {direction: 'out'}) ?? server.server_bytes), 'out'),
    n(number(get('connect_failures_total') ?? total(server.connect_failures)), 'connects'), '',
    n(number(get('session_ends_total') ?? total(server.ends)), 'ends'), {text: check, kind: 'check', field: 'check'},
    n(checked ? number(get('checks_total', {result: 'failed'}) ?? server.checks_failed) : '–', 'checks'),
    n(number(get('downs_total') ?? server.downs), 'downs'),
    n(span(get('downtime_seconds_total') ?? server.downtime_ms / 1000), 'downtime'),
    {text: span(now / 1000 - server.changed_at) + ' ago', field: 'since'},
    {node: spark(keep('s/' + key, perSecond), 'sessions per second')},
    {node: admin ? {keep: buttons(backend, server)} : element('span')}];
}

function drawServers(status, metrics, now) {
  const table = rows(head($('servers'), SERVER_COLUMNS.concat('')));
  for (const backend of status.backends) {
    const group = table.row('/' + backend.name);
    group.className = 'group';
    fill(group, backendCells(backend, metrics, now));
    for (const server of backend.servers)
      fill(table.row(backend.name + '/' + server.name), serverCells(backend, server, metrics, now));
  }
  table.end();
}

/* Sessions whose TLS ends there keep a process that drains. */
function sessionsOf(one) {
  const tied = one.state === 'draining' && one.sessions_tls > 0;
  return n(number(one.sessions) + (tied ? ', ' + number(one.sessions_tls) + ' with TLS: cannot move' : ''));
}

function drawGenerations(status) {
  const table = rows(head($('generations'), ['#Generation', '#Pid', 'State', '#Sessions', '#In all', 'Age',
    'Closes', 'Configuration']));
  for (const one of status.generations) {
    const row = table.row(String(one.generation) + '/' + one.pid);
    fill(row, [n(one.generation), n(one.pid),
      {text: one.state, kind: one.state === 'active' ? 'good' : 'warn'}, sessionsOf(one),
      n(number(one.sessions_total)), one.age_ms === undefined ? '–' : span(one.age_ms / 1000),
      one.closes_in_ms === undefined ? '–' : one.closes_in_ms === null ? 'never'
        : 'in ' + span(one.closes_in_ms / 1000), one.config_hash || '–']);
  }
  table.end();
}

function expiry(seconds) {
  const left = seconds - Date.now() / 1000;
  if (left <= 0) return {text: 'expired', kind: 'bad'};
  return {text: 'in ' + span(left), kind: left < 30 * 86400 ? 'warn' : 'good'};
}

function drawCertificates(status) {
  const list = status.certificates || [];
  $('tls').hidden = list.length === 0;
  const table = rows(head($('certificates'), ['Certificate', 'Frontend', 'Names', 'Key', 'Until', 'Expires']));
  for (const one of list)
    fill(table.row(one.frontend + '/' + one.file), [one.file, one.frontend,
      one.names.length ? one.names.join(' ') : one.subject, one.key,
      new Date(one.expires_at * 1000).toISOString().slice(0, 10), expiry(one.expires_at)]);
  table.end();
}

function drawCanary(status) {
  const canary = status.canary, box = $('canary');
  box.hidden = !canary;
  if (!canary) return box.replaceChildren();
  if (box.dataset.pid !== String(canary.pid) || (admin && !box.querySelector('button'))) {
    box.dataset.pid = canary.pid;
    box.replaceChildren(element('p'), element('table'));
    for (const action of admin ? ['promote', 'abort'] : []) {
      const button = element('button', action);
      button.dataset.set = action;
      button.addEventListener('click', () => change({action}));
      box.append(button, ' ');
    }
  }
  box.querySelector('p').textContent = 'Canary: generation ' + canary.generation + ' gets ' + canary.percent +
    '% of the new connections' + (canary.by_source ? ', by source,' : '') + ' for another ' +
    span(canary.left_ms / 1000) + '.';
  const table = rows(head(box.querySelector('table'), ['Since then', '#Sessions', '#Failed connects', '#Failed',
    '#Cut']));
  for (const [name, side] of [['canary', canary.canary], ['predecessor', canary.predecessor]])
    fill(table.row(name), [name, n(number(side.sessions_total), 'sessions'),
      n(number(side.connect_errors), 'connects'), n(number(side.sessions_failed), 'failed'),
      n(number(side.sessions_cut), 'cut')]);
  table.end();
}

/* --- what has happened --- */

const LIFE = ['reload-started', 'reloaded', 'reload-failed', 'rolled-back', 'canary-started',
  'canary-promoted', 'canary-back', 'serving', 'stopping', 'draining', 'drained', 'process-gone', 'crashed'];
const BAD = ['reload-failed', 'rolled-back', 'crashed', 'server-down', 'server-failing', 'server-ejected',
  'backend-down', 'name-failed', 'limit-reached', 'log-dropped'];
const GOOD = ['reloaded', 'server-up', 'server-well', 'server-back', 'backend-up'];

const kindOf = (name) => (BAD.includes(name) ? 'bad' : GOOD.includes(name) ? 'good' : '');

function when(seconds) {
  const at = new Date(seconds * 1000), today = new Date().toDateString() === at.toDateString();
  const time = element('time', today ? at.toLocaleTimeString() : at.toLocaleString());
  time.dateTime = at.toISOString();
  return time;
}

function eventItem(event) {
  const item = element('li', null, kindOf(event.event));
  item.append(when(event.at), event.text || event.event);
  return item;
}

/* What is known of each generation: its file of the history, and its events. */
function generationsOfPast() {
  const all = new Map();
  const of = (number) => {
    if (!all.has(number)) all.set(number, {number, events: [], file: null});
    return all.get(number);
  };
  for (const file of past.history) of(file.generation).file = file;
  for (const event of past.events)
    if (LIFE.includes(event.event)) of(event.about || event.generation).events.push(event);
  return [...all.values()].sort((a, b) => b.number - a.number).slice(0, TIMELINE);
}

/* How it went: text and colour. */
function outcome({events, file}) {
  const last = (name) => events.filter((event) => event.event === name).pop();
  const failed = last('reload-failed'), done = last('reloaded');
  const took = (ms) => ' in ' + (ms / 1000).toFixed(ms < 1000 ? 3 : 1) + ' s';
  if (last('rolled-back')) return ['rolled back', 'bad'];
  if (failed) return ['failed, exit ' + failed.exit, 'bad'];
  if (last('crashed') || (file && file.crashed)) return ['crashed', 'bad'];
  if (done) return ['reloaded' + took(done.took_ms), 'good'];
  if (last('canary-started') && !last('serving')) return ['canary', 'warn'];
  if (file && file.exit) return ['failed, exit ' + file.exit, 'bad'];
  if (file && file.took_ms) return ['reloaded' + took(file.took_ms), 'good'];
  if (file || last('serving')) return ['started', 'good'];
  return [last('reload-started') ? 'under way' : 'earlier', 'soft'];
}

function drawPast() {
  $('timeline').replaceChildren(...generationsOfPast().map((one) => {
    const item = document.createElement('li'), {events, file} = one;
    const begun = events.find((event) => event.event === 'reload-started');
    const by = begun ? begun.by : file && file.by, at = events.length ? events[0].at : file.at;
    item.dataset.generation = one.number;
    if (at) item.append(when(at)); // of a damaged file nothing is known
    item.append(element('b', 'Generation ' + one.number));
    item.append(element('span', outcome(one)[0], 'badge ' + outcome(one)[1]));
    item.append(element('span', null, 'now'), element('span', by ? 'by ' + by : '', 'soft'));
    const details = document.createElement('ol');
    if (file && !events.some((event) => ['reloaded', 'reload-failed', 'rolled-back'].includes(event.event)))
      details.append(element('li', file.result));
    details.append(...events.filter((event) => event !== begun).map(eventItem));
    item.append(details);
    return item;
  }));
  $('happened').replaceChildren(...past.events.slice(-EVENTS).reverse().map(eventItem));
}

/* Who drains, and how long it may last. */
function drawPresent() {
  const now = new Map(present.generations.map((one) => [String(one.generation), one]));
  for (const item of $('timeline').children) {
    const one = now.get(item.dataset.generation);
    item.querySelector('.now').textContent = !one ? '' : one.state + ', ' + number(one.sessions) + ' sessions' +
      (one.closes_in_ms > 0 ? ', closes them in ' + span(one.closes_in_ms / 1000) : '') + ' ';
  }
}

/* --- configurations --- */

function drawChoice() {
  const files = past.history.filter((file) => file.text).reverse();
  $('configurations').hidden = !admin || files.length < 2;
  const key = files.map((file) => file.generation).join();
  if ($('configurations').dataset.key === key) return;
  $('configurations').dataset.key = key;
  const other = files.find((file) => file.hash !== files[0].hash) || files[1];
  for (const [select, initial] of [[$('from'), other], [$('to'), files[0]]]) {
    const chosen = select.dataset.chosen;
    select.replaceChildren(...files.map((file) => {
      const option = element('option', file.generation + ', ' + new Date(file.at * 1000).toLocaleString());
      option.value = file.generation;
      return option;
    }));
    if (files.some((file) => String(file.generation) === chosen)) select.value = chosen;
    else if (initial) select.value = initial.generation;
  }
}

/* Lines of a difference as diff -u writes them. */
function drawDiff(text) {
  const kinds = {'+': 'added', '-': 'removed', '@': 'hunk'};
  $('diff').replaceChildren(...text.replace(/\n$/, '').split('\n').map((line) =>
    element('span', line || ' ', kinds[line[0]] || '')));
  $('diff').hidden = false;
}

async function compare() {
  const fields = new URLSearchParams({from: $('from').value, to: $('to').value});
  try {
    const answer = await fetch('diff?' + fields), text = await answer.text();
    if (answer.ok) drawDiff(text || 'The configurations are the same.');
    else note(text.trim());
  } catch (error) {
    note('The proxy does not answer.');
  }
}

for (const select of [$('from'), $('to')])
  select.addEventListener('change', () => { select.dataset.chosen = select.value; });
$('compare').addEventListener('click', compare);

/* --- what is asked and told --- */

let noteTimer = 0;
function note(text) {
  $('note').textContent = text;
  $('note').hidden = false;
  clearTimeout(noteTimer);
  noteTimer = setTimeout(() => { $('note').hidden = true; }, 5000);
}

async function change(fields) {
  try {
    const answer = await fetch('change', {method: 'POST', headers: {'X-CSRF-Token': token,
      'Content-Type': 'application/x-www-form-urlencoded'}, body: new URLSearchParams(fields).toString()});
    note((await answer.text()).trim());
  } catch (error) {
    note('The proxy does not answer.');
  }
}

/* What this page shows of the past is as new as `name`. During a reload there may be no answer: the
   next message asks again. */
async function askPast(name) {
  if (asking || newest === name) return;
  asking = true;
  try {
    const answer = await fetch('timeline');
    if (answer.ok) {
      past = await answer.json();
      newest = name;
      drawPast();
      drawPresent();
      drawChoice();
    }
  } catch (error) {
    /* as said above */
  }
  asking = false;
}

function show(data) {
  const {status} = data, now = Date.now(), metrics = readMetrics(data.metrics);
  token = data.token;
  if (admin !== data.admin) {
    admin = data.admin;
    for (const table of [$('frontends'), $('servers')])
      if (table.tBodies[0]) table.tBodies[0].replaceChildren();
    drawChoice();
  }
  $('state').textContent = status.state;
  $('state').className = 'badge ' + (status.state === 'active' ? 'good' : 'warn');
  $('about').textContent = 'version ' + status.version + ', generation ' + status.generation + ', pid ' +
    status.pid + ', ' + status.workers +
    (status.workers === 1 ? ' worker' : ' workers') + ', up ' + span(status.uptime_ms / 1000);
  drawFigures(status, metrics, now);
  drawCanary(status);
  drawFrontends(status, metrics, now);
  drawServers(status, metrics, now);
  drawGenerations(status);
  drawCertificates(status);
  present = status;
  drawPresent();
  askPast(data.newest);
  $('live').textContent = 'live, ' + new Date(now).toLocaleTimeString();
  $('live').className = 'live';
  document.body.dataset.generation = status.generation;
}

const source = new EventSource('events');
source.onmessage = (event) => show(JSON.parse(event.data));
source.onerror = () => {
  $('live').textContent = 'no connection; trying again';
  $('live').className = 'live lost';
};
