'use strict';
/* The status page. Each second the server sends what it knows; all that is older (rates, the lines
   of the last minutes, the timeline) is kept here. */
const KEPT = 300, TIMELINE = 200;
const history = new Map(); // of each line: its last values
const before = new Map();  // of each counter: [value, time]
let token = '', known = null, admin = false;

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
  if (!history.has(key)) history.set(key, []);
  const values = history.get(key);
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

function drawFrontends(status, metrics, now) {
  const table = rows(head($('frontends'), ['Frontend', 'Backend', 'State', '#Now', '#Most', '#Limit',
    '#In all', '#Sessions/s', '#In', '#Out', '#Denied', 'Last minutes', '']));
  for (const frontend of status.frontends) {
    const of = {frontend: frontend.name}, get = (name, more) => sum(metrics, name, {...of, ...more});
    const all = get('rpproxy_frontend_sessions_total'), live = get('rpproxy_frontend_live_sessions');
    const perSecond = rate('f/' + frontend.name, all, now);
    const row = table.row(frontend.name);
    fill(row, [frontend.name, frontend.backend || 'by route', frontendState(frontend),
      n(number(live), 'live'),
      n(number(get('rpproxy_frontend_most_sessions'))), n(number(frontend.max_sessions || null)),
      n(number(all), 'all'), n(perSecond.toFixed(1)),
      n(bytes(get('rpproxy_frontend_bytes_total', {direction: 'in'}))),
      n(bytes(get('rpproxy_frontend_bytes_total', {direction: 'out'}))),
      n(number(get('rpproxy_frontend_denied_total'))),
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

function drawServers(status, metrics, now) {
  const columns = ['Server', 'Address', 'State', '#Weight', '#Now', '#Most', '#In all', '#Sessions/s',
    '#In', '#Out', '#Failed connects', 'Last check', 'Since', '#Downtime', 'Last minutes'];
  const table = rows(head($('servers'), columns.concat('')));
  for (const backend of status.backends) {
    const group = table.row('/' + backend.name);
    group.className = 'group';
    fill(group, [backend.name, '', {text: backend.usable + ' of ' + backend.servers.length + ' usable',
      kind: backend.usable ? 'soft' : 'bad'}]);
    for (const server of backend.servers) {
      const key = backend.name + '/' + server.name, of = {backend: backend.name, server: server.name};
      const get = (name, more) => sum(metrics, name, {...of, ...more});
      const all = get('rpproxy_server_sessions_total') ?? server.sessions_total;
      const perSecond = rate('s/' + key, all, now), [state, kind] = serverState(server);
      const took = get('rpproxy_server_last_check_duration_seconds');
      const check = (server.last_check || '–') + (took ? ' (' + Math.round(took * 1e6) / 1000 + ' ms)' : '');
      const row = table.row(key);
      fill(row, [server.name + (server.backup ? ' (backup)' : ''), server.address,
        {text: state, kind, field: 'state'}, n(server.weight, 'weight'),
        n(number(get('rpproxy_server_live_sessions') ?? server.sessions), 'live'),
        n(number(get('rpproxy_server_most_sessions'))), n(number(all), 'all'), n(perSecond.toFixed(1)),
        n(bytes(get('rpproxy_server_bytes_total', {direction: 'in'}))),
        n(bytes(get('rpproxy_server_bytes_total', {direction: 'out'}))),
        n(number(get('rpproxy_server_connect_failures_total'))),
        {text: check, kind: 'check', field: 'check'},
        span(now / 1000 - server.changed_at) + ' ago',
        n(span(get('rpproxy_server_downtime_seconds_total') || 0)),
        {node: spark(keep('s/' + key, perSecond), 'sessions per second')},
        {node: admin ? {keep: buttons(backend, server)} : element('span')}]);
    }
  }
  table.end();
}

function drawGenerations(status) {
  const table = rows(head($('generations'), ['#Generation', '#Pid', 'State', '#Sessions', '#In all', 'Age',
    'Closes', 'Configuration']));
  for (const one of status.generations) {
    const row = table.row(String(one.generation) + '/' + one.pid);
    fill(row, [n(one.generation), n(one.pid),
      {text: one.state, kind: one.state === 'active' ? 'good' : 'warn'}, n(number(one.sessions)),
      n(number(one.sessions_total)), one.age_ms === undefined ? '–' : span(one.age_ms / 1000),
      one.closes_in_ms === undefined ? '–' : one.closes_in_ms === null ? 'never'
        : 'in ' + span(one.closes_in_ms / 1000), one.config_hash || '–']);
  }
  table.end();
}

function drawCanary(status) {
  const canary = status.canary, box = $('canary');
  box.hidden = !canary;
  if (!canary) return box.replaceChildren();
  if (box.dataset.pid !== String(canary.pid) || (admin && !box.querySelector('button'))) {
    box.dataset.pid = canary.pid;
    box.replaceChildren(element('p'));
    for (const action of admin ? ['promote', 'abort'] : []) {
      const button = element('button', action);
      button.dataset.set = action;
      button.addEventListener('click', () => change({action}));
      box.append(button, ' ');
    }
  }
  const side = (figures) => number(figures.sessions_total) + ' sessions, ' +
    number(figures.connect_errors) + ' failed connects, ' + number(figures.sessions_failed) + ' failed';
  box.firstChild.textContent = 'Canary: generation ' + canary.generation + ' gets ' + canary.percent +
    '% for another ' + span(canary.left_ms / 1000) + '. Canary: ' + side(canary.canary) +
    '. Predecessor: ' + side(canary.predecessor) + '.';
}

/* --- the timeline --- */

function tell(text, kind, at) {
  const item = element('li', null, kind), time = element('time', new Date(at).toLocaleTimeString());
  time.dateTime = new Date(at).toISOString();
  item.append(time, text);
  $('timeline').prepend(item);
  while ($('timeline').children.length > TIMELINE) $('timeline').lastChild.remove();
}

function compare(status, now) {
  const reload = status.last_reload, states = {};
  if (reload && (!known || reload.at !== known.reload || reload.result !== known.result))
    tell((reload.exit ? 'Reload failed (exit ' + reload.exit + '): ' : 'Reloaded: ') + reload.result,
      reload.exit ? 'bad' : 'good', reload.at * 1000);
  for (const one of status.generations) states['generation ' + one.generation + ' (pid ' + one.pid + ')'] = one.state;
  for (const frontend of status.frontends)
    states['frontend ' + frontend.name] = frontend.paused ? 'paused' : 'accepting';
  for (const backend of status.backends)
    for (const server of backend.servers)
      states['server ' + backend.name + '/' + server.name] = serverState(server)[0];
  for (const [what, state] of Object.entries(states))
    if (known && known.states[what] !== state) tell(what + ' is ' + state, '', now);
  for (const what of Object.keys(known ? known.states : {}))
    if (!(what in states)) tell(what + ' is gone', 'soft', now);
  known = {states, reload: reload && reload.at, result: reload && reload.result};
}

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

function show(data) {
  const {status} = data, now = Date.now(), metrics = readMetrics(data.metrics);
  token = data.token;
  if (admin !== data.admin) {
    admin = data.admin;
    if ($('servers').tBodies[0]) $('servers').tBodies[0].replaceChildren();
  }
  $('state').textContent = status.state;
  $('state').className = 'badge ' + (status.state === 'active' ? 'good' : 'warn');
  $('about').textContent = 'version ' + status.version + ', generation ' + status.generation + ', pid ' +
    status.pid + ', ' + status.workers + ' workers, up ' + span(status.uptime_ms / 1000);
  drawFigures(status, metrics, now);
  drawCanary(status);
  drawFrontends(status, metrics, now);
  drawServers(status, metrics, now);
  drawGenerations(status);
  compare(status, now);
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
