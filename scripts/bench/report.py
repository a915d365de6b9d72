"""The results of a benchmark: medians and ranges, comparisons that consider the noise, a table and
a chart.

A comparison is a list of ratios rpproxy / peer, one for each round, of runs that followed each
other closely. It counts as a difference only if there are at least ROUNDS_FOR_CLAIM rounds and all
ratios are on the same side of 1. If their range includes 1 the difference is noise, even if the
median is far from 1. (By chance five rounds agree in one case of 16.)
"""
import html
import re
import statistics

ROUNDS_FOR_CLAIM = 5
OWN_DIFFERENCE = .02  # the most by which CPU per operation of rpproxy may differ from its own
median = statistics.median

GIVEN = ("haproxy-given", "nginx-given")  # built from sources
CANDIDATES = ("direct", "rpproxy", "rpproxy-tuned", "haproxy", "haproxy-tuned", "haproxy-W", "nginx",
              *GIVEN)
LABELS = {"direct": "direct", "rpproxy": "rpproxy", "haproxy": "HAProxy",
          "rpproxy-tuned": "rpproxy, reno", "rpproxy-again": "rpproxy again",
          "haproxy-given": "HAProxy from source", "nginx-given": "nginx from source",
          "haproxy-tuned": "HAProxy tuned", "haproxy-W": "HAProxy -W", "nginx": "nginx",
          "rpproxy-cpu": "rpproxy steer=cpu", "rpproxy-shared": "rpproxy accept=shared",
          "nginx-mutex": "nginx accept_mutex", "nginx-reuseport": "nginx reuseport"}
# The ways in which workers accept connections; the default of each proxy is one of them.
ACCEPTORS = ("rpproxy", "rpproxy-cpu", "rpproxy-shared", "nginx-mutex", "nginx", "nginx-reuseport")
MODES = {"rpproxy": "rpproxy accept=sharded steer=hash",
         "rpproxy-cpu": "rpproxy accept=sharded steer=cpu, cpu-affinity=yes",
         "rpproxy-shared": "rpproxy accept=shared", "nginx-mutex": "nginx accept_mutex on",
         "nginx": "nginx accept_mutex off", "nginx-reuseport": "nginx reuseport"}
PEERS = ("haproxy", "haproxy-W", "nginx", *GIVEN)


class Metric:
    """One line of the table. `goal` is a bound for the ratio to the better peer, `absolute` a bound
    for the figure itself, `tuned` a bound for the ratio to HAProxy tuned."""

    def __init__(self, row, key, label, unit, higher=False, goal=None, absolute=None, tuned=None):
        self.row, self.key, self.label, self.unit = row, key, label, unit
        self.higher, self.goal, self.absolute, self.tuned = higher, goal, absolute, tuned


METRICS = (
    Metric("churn", "cpu", "churn: CPU", "µs/connection", goal=.88),
    Metric("churn", "rate", "churn: rate", "connections/s", True, goal=1),
    *(metric for row, label, goal in (
        ("client-first", "churn, clients close first, TIME_WAITs stand", .70),
        ("server-first", "churn, servers close first, TIME_WAITs stand", .85),
        ("servers1000", "churn, 1,000 servers", None)) for metric in (
        Metric(row, "cpu", f"{label}: CPU", "µs/connection", goal=goal),
        Metric(row, "rate", f"{label}: rate", "connections/s", True, goal=1))),
    Metric("calls", "churn", "churn: system calls", "/connection", absolute=13),
    Metric("rtt64", "cpu", "round trips, 64 sessions: CPU", "µs/request", goal=.95),
    Metric("rtt64", "rate", "round trips, 64 sessions: rate", "requests/s", True, goal=1),
    Metric("calls", "rtt", "round trips: system calls", "/request"),
    Metric("rtt256", "cpu", "round trips, 256 sessions: CPU", "µs/request", goal=.95),
    Metric("rtt256", "rate", "round trips, 256 sessions: rate", "requests/s", True, goal=1),
    Metric("mixed", "cpu", "64 sessions beside 3,000 connections/s: CPU", "µs/request"),
    Metric("mixed", "rate", "64 sessions beside 3,000 connections/s: rate", "requests/s", True),
    Metric("mixed", "short_p99", "64 sessions beside 3,000 connections/s: p99 of connections", "µs"),
    Metric("latency", "p50", "one session: round trip, p50", "µs", goal=1.0),
    Metric("latency", "p99", "one session: round trip, p99", "µs"),
    Metric("down1", "cpu", "download, 1 stream: CPU", "s/GB", goal=.35, tuned=.6),
    Metric("down1", "rate", "download, 1 stream: rate", "Gbit/s", True, goal=1.5, tuned=1),
    Metric("down8", "cpu", "download, 8 streams: CPU", "s/GB", goal=.35, tuned=.6),
    Metric("down8", "rate", "download, 8 streams: rate", "Gbit/s", True, goal=1.5, tuned=1),
    Metric("up1", "cpu", "upload, 1 stream: CPU", "s/GB", goal=.35, tuned=.6),
    Metric("up1", "rate", "upload, 1 stream: rate", "Gbit/s", True, goal=1.5, tuned=1),
    Metric("up8", "cpu", "upload, 8 streams: CPU", "s/GB", goal=.35, tuned=.6),
    Metric("up8", "rate", "upload, 8 streams: rate", "Gbit/s", True, goal=1.5, tuned=1),
    Metric("idle", "anonymous", "idle session: anonymous memory", "bytes", absolute=350),
    Metric("idle", "pss", "idle session: all memory (Pss)", "bytes"),
    Metric("idle", "cpu_ratio", "100 active among idle ones: CPU against 100 alone", "×",
           absolute=1.03),
    Metric("reload", "milliseconds", "reload: until the new configuration serves", "ms", absolute=20),
    Metric("reload", "cpu", "reload, 10 frontends: CPU of all processes", "ms", absolute=12),
    Metric("reload9000", "milliseconds", "reload under 9,000 connections/s: until it serves", "ms", absolute=30),
    Metric("reload9000", "back_to_back", "the same, back to back: until it serves", "ms"),
    Metric("reload9000", "rate", "reload under 9,000 connections/s: rate held", "connections/s", True),
    Metric("reload9000", "failures", "reload under 9,000 connections/s: lost", "in all rounds", absolute=0),
    Metric("reload3000", "p99_ratio", "3,000 connections/s: p99 with reloads against without", "×",
           absolute=3),
    Metric("observed", "rate_ratio", "100 scrapes/s, a page and top: churn's rate against without", "×",
           True),
    Metric("observed", "rate_elsewhere", "the same, if the programs that look ran on another machine",
           "×", True, absolute=.98),
    Metric("observed", "workers_ratio", "the same: CPU of the workers", "×", absolute=1.02),
    Metric("observed", "cpu_ratio", "the same: CPU of all threads, with those that answer", "×"),
    Metric("large", "series", "5,000 servers: series of a scrape", ""),
    Metric("large", "scrape", "the same: a scrape", "ms", absolute=100),
    Metric("large", "slowest", "the same: the slowest scrape", "ms", absolute=100),
    Metric("large", "list", "a list of all sessions (8,000)", "ms"),
    Metric("large", "p99_more", "scrapes and lists back to back: p99 of round trips grows by", "µs"),
    Metric("strangers", "rate", "10,000 strangers/s: rate held", "connections/s", True),
    Metric("strangers", "p50_ratio", "good clients beside 10,000 strangers/s: p50 against alone", "×"),
    Metric("strangers", "p99_ratio", "good clients beside 10,000 strangers/s: p99 against alone", "×"),
    *(metric for row, label in (("tls-full", "full"), ("tls-resumed", "resumed")) for metric in (
        Metric(row, "rate", f"TLS, {label} handshakes: rate", "connections/s", True, goal=1.05),
        Metric(row, "cpu", f"TLS, {label} handshakes: CPU", "µs/connection", goal=.95))),
    Metric("tls-rtt64", "rate", "TLS, round trips, 64 sessions: rate", "requests/s", True, goal=1.05),
    Metric("tls-rtt64", "cpu", "TLS, round trips, 64 sessions: CPU", "µs/request", goal=.95),
    Metric("tls-idle", "anonymous", "TLS, idle session: anonymous memory", "bytes"),
    *(metric for way, label in (("down", "download"), ("up", "upload"))
      for count, streams in ((1, "1 stream"), (8, "8 streams")) for metric in (
        Metric(f"tls-{way}{count}", "rate", f"TLS, {label}, {streams}: rate", "Gbit/s", True, goal=1.2),
        Metric(f"tls-{way}{count}", "cpu", f"TLS, {label}, {streams}: CPU", "s/GB", goal=.85))),
    Metric("strangers", "p99", "good clients beside 10,000 strangers/s: p99", "µs"),
)


class Figures:
    """The runs of a results file, by row, candidate and round."""

    def __init__(self, results):
        self.runs = {}
        for run in results["runs"]:
            self.runs.setdefault((run["row"], run["candidate"]), {})[run["round"]] = run

    def by_round(self, row, candidate, key):
        return {number: run[key] for number, run in self.runs.get((row, candidate), {}).items()}

    def values(self, row, candidate, key):
        return list(self.by_round(row, candidate, key).values())

    def ratios(self, metric, peer):
        """rpproxy / peer in each round that has both."""
        ours = self.by_round(metric.row, "rpproxy", metric.key)
        theirs = self.by_round(metric.row, peer, metric.key)
        return [ours[number] / theirs[number] for number in ours
                if theirs.get(number, 0) > 0]

    def better_peer(self, metric):
        """The peer with the better median; None if no peer ran."""
        medians = {peer: median(values) for peer in PEERS
                   if (values := self.values(metric.row, peer, metric.key))}
        if not medians:
            return None
        return (max if metric.higher else min)(medians, key=medians.get)

    def failures(self):
        """{(row, candidate): number of failed operations}, without zeros."""
        counts = {key: sum(run["failures"] for run in rounds.values())
                  for key, rounds in self.runs.items()}
        return {key: count for key, count in counts.items() if count}


def verdict(ratios, higher):
    """"better", "worse", or why neither can be said."""
    if len(ratios) < ROUNDS_FOR_CLAIM:
        return "too few rounds"
    if min(ratios) <= 1 <= max(ratios):
        return "within the noise"
    return "better" if (min(ratios) > 1) == higher else "worse"


def goal_words(value, bound, higher):
    met = value >= bound if higher else value <= bound
    sign = "≥" if higher else "≤"
    return f"{sign} {bound:g}: {'met' if met else 'missed'}"


def short(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(values):
    if not values:
        return "–"
    if len(values) == 1:
        return short(values[0])
    return f"{short(median(values))} ({short(min(values))} to {short(max(values))})"


def comparison(figures, metric, peer, goal):
    ratios = figures.ratios(metric, peer)
    if not ratios:
        return "–", "–"
    middle = median(ratios)
    text = f"{middle:.2f} × {LABELS[peer]} ({min(ratios):.2f} to {max(ratios):.2f})"
    outcome = verdict(ratios, metric.higher)
    if figures.failures().get((metric.row, "rpproxy")):
        outcome = "no claim: operations of rpproxy failed"
    if goal is not None and outcome in ("better", "worse"):
        outcome += f"; goal {goal_words(middle, goal, metric.higher)}"
    elif goal is not None:
        outcome += f"; goal {'≥' if metric.higher else '≤'} {goal:g}"
    return text, outcome


def number(version):
    """The version number in the output of a program."""
    return re.search(r"\d\S*", version)[0]


def markdown(results):
    figures, where = Figures(results), results["environment"]
    present = [c for c in CANDIDATES if any(c == key[1] for key in figures.runs)]
    rounds = 1 + max((run["round"] for run in results["runs"]), default=0)
    lines = [f"{where['cpu']}, {where['cpus']} CPUs that generator, proxy and origin share; "
             f"Linux {where['kernel']}; congestion control {where['congestion']}; "
             f"{where['threads']} threads or workers each; {rounds} "
             f"round{'s' if rounds > 1 else ''} of {results['seconds']:g} s after "
             f"{results['warmup']:g} s; commit {where['commit']}; {where['date'][:10]}.", ""]
    lines += [", ".join(f"{LABELS[name]} {number(version)}"
                        for name, version in where["versions"].items()
                        if name in ("rpproxy", "haproxy", "nginx", *GIVEN)) + ".",
              "", "Medians of the rounds, and their range.", ""]
    head = ["| | unit | " + " | ".join(LABELS[c] for c in present) +
            " | rpproxy against the better peer | that is |",
            "|---|---|" + "---|" * (len(present) + 2)]
    table = []
    for metric in METRICS:
        cells = [spread(figures.values(metric.row, c, metric.key)) for c in present]
        if all(cell == "–" for cell in cells):
            continue
        if metric.key == "cpu" and "direct" in present:
            cells[present.index("direct")] = "–"
        peer = figures.better_peer(metric)
        ours = figures.values(metric.row, "rpproxy", metric.key)
        if metric.key == "failures":
            # Each failure counts: show the sum, and no ratio.
            peer, ours = None, [sum(ours)]
            cells = [str(sum(figures.values(metric.row, c, metric.key)))
                     if (metric.row, c) in figures.runs else "–" for c in present]
        text, outcome = comparison(figures, metric, peer, metric.goal) if peer else ("–", "–")
        if metric.row == "calls" and peer:
            # A count, not a time: one run is enough.
            outcome = "counted once"
        if metric.absolute is not None and ours:
            words = f"goal {goal_words(median(ours), metric.absolute, metric.higher)}"
            outcome = words if outcome == "–" else f"{outcome}; {words}"
        table.append(f"| {metric.label} | {metric.unit} | " + " | ".join(cells) +
                     f" | {text} | {outcome} |")
        if metric.tuned is not None and figures.ratios(metric, "haproxy-tuned"):
            text, outcome = comparison(figures, metric, "haproxy-tuned", metric.tuned)
            table.append("| | | " + " | ".join("" for _ in present) + f" | {text} | {outcome} |")
    lines += head + table + [""] if table else []
    lines += accept_table(figures) + lines_table(figures)
    lines += failures_text(figures) + own_text(figures) + noise_text(results)
    return "\n".join(lines) + "\n"


def accept_table(figures):
    measured = [c for c in ACCEPTORS if ("accept", c) in figures.runs]
    if not measured:
        return []
    columns = (("rate", "connections/s"), ("cpu", "CPU, µs/connection"), ("p50", "p50, µs"),
               ("p99", "p99, µs"), ("sd", "standard deviation, µs"),
               ("busiest", "busiest worker's share of CPU"))
    text = ["Ways to accept, in churn by 64 clients:", "",
            "| | " + " | ".join(label for _, label in columns) + " |",
            "|---|" + "---|" * len(columns)]
    text += [f"| {MODES[c]} | " + " | ".join(spread(figures.values("accept", c, key))
                                             for key, _ in columns) + " |" for c in measured]
    return text + [""]


def lines_table(figures):
    counts = sorted(int(key[3:]) for run in figures.runs.get(("lines", "rpproxy"), {}).values()
                    for key in run if key[:3] == "cpu")
    if not counts:
        return []
    text = ["Reloads of a backend, by its number of `server` lines:", "",
            "| lines | until it serves, ms | CPU of all processes, ms |", "|---|---|---|"]
    text += [f"| {count:,} | " + " | ".join(spread(figures.values("lines", "rpproxy", f"{key}{count}"))
                                            for key in ("milliseconds", "cpu")) + " |"
             for count in sorted(set(counts))]
    return text + [""]


def failures_text(figures):
    lost = figures.failures()
    if not lost:
        return ["Every answer of every run was compared byte by byte; none failed."]
    return ["Failed operations, of all rounds (answers are compared byte by byte): " +
            "; ".join(f"{LABELS[candidate]} {count} in {row}"
                      for (row, candidate), count in lost.items()) + "."]


def disturbed_share(results):
    """The share of runs in which other work took more than a tenth of a CPU."""
    runs = results["runs"]
    return sum(max(run["foreign"], run["stolen"]) > .1 for run in runs) / max(len(runs), 1)


def unfit(results):
    """Why these figures must not be published; empty if they may."""
    reasons = []
    if disturbed_share(results) > .05:
        reasons.append("other work shared the CPUs")
    if results["quick"]:
        reasons.append("a quick run")
    if "-dirty" in results["environment"]["commit"]:
        reasons.append("the source differs from its commit")
    if any(abs(ratio - 1) > OWN_DIFFERENCE for ratio in own_differences(Figures(results)).values()):
        reasons.append("rpproxy beside itself differs by more than 2 %")
    return ", ".join(reasons)


def own_differences(figures):
    """{metric: median of the ratios of rpproxy to itself} for the CPU per operation."""
    return {metric: median(ratios) for metric in METRICS if metric.key == "cpu" and
            (ratios := figures.ratios(metric, "rpproxy-again"))}


def own_text(figures):
    return [f"rpproxy beside itself, {metric.label}: {ratio:.3f} ×."
            for metric, ratio in own_differences(figures).items()]


def noise_text(results):
    foreign = max((run["foreign"] for run in results["runs"]), default=0)
    stolen = max((run["stolen"] for run in results["runs"]), default=0)
    text = [f"Other work on the machine took at most {foreign:.2f} of a CPU in a run, its host "
            f"{stolen:.2f}; one or the other took more than 0.1 in {disturbed_share(results):.1%} "
            "of the runs."]
    if unfit(results):
        text.append(f"**Not for publishing: {unfit(results)}.**")
    return text


# The chart: each metric is a group of bars, one for each candidate; a line shows the range.

CHART = ("churn", "client-first", "server-first", "rtt64", "rtt256", "latency", "down1", "down8", "up1", "up8", "idle", "reload",
         "reload9000")
COLOURS = {"direct": "#9aa0a6", "rpproxy": "#1a73e8",
           "rpproxy-tuned": "#7baaf7", "haproxy": "#5f8a3c",
           "haproxy-tuned": "#93b873", "haproxy-W": "#3d5c25", "nginx": "#c26a1b",
           "haproxy-given": "#7aa35a", "nginx-given": "#d99556"}
WIDTH, LEFT, BAR, GAP = 940, 110, 13, 34


def bar(x, y, width, value, values, scale, label, candidate):
    low, high = min(values) * scale, max(values) * scale
    middle = y + (BAR - 3) / 2
    return (f'<text class="name" x="{x - 6}" y="{y + 9}">{html.escape(label)}</text>'
            f'<rect x="{x}" y="{y}" width="{max(value * scale, 1):.1f}" height="{BAR - 3}" '
            f'fill="{COLOURS[candidate]}"/>'
            f'<path class="range" d="M{x + low:.1f} {middle}H{x + high:.1f}"/>'
            f'<text class="value" x="{x + max(high, value * scale) + 5:.1f}" y="{y + 9}">'
            f'{short(value)}</text>')


def group(figures, metric, x, y, width):
    """The SVG of one metric and its height, or None if nothing was measured."""
    measured = [(c, values) for c in CANDIDATES
                if (values := figures.values(metric.row, c, metric.key)) and max(values) > 0 and
                not (c == "direct" and metric.key == "cpu")]
    if not measured:
        return None
    scale = (width - LEFT - 60) / max(max(values) for _, values in measured)
    direction = "more is better" if metric.higher else "less is better"
    parts = [f'<text class="title" x="{x}" y="{y}">{html.escape(metric.label)}, '
             f'{html.escape(metric.unit)} ({direction})</text>']
    for i, (candidate, values) in enumerate(measured):
        parts.append(bar(x + LEFT, y + 8 + i * BAR, width, median(values), values, scale,
                         LABELS[candidate], candidate))
    return "".join(parts), 8 + len(measured) * BAR


def svg(results):
    figures, where = Figures(results), results["environment"]
    parts, y = [], 64
    for row in CHART:
        height, column = 0, 0
        for metric in METRICS:
            if metric.row != row or metric.key in ("pss", "p99", "failures") or \
                    (row, metric.key) in (("reload9000", "rate"), ("reload9000", "back_to_back")):
                continue
            drawn = group(figures, metric, 20 + (column % 2) * (WIDTH // 2), y, WIDTH // 2 - 20)
            if drawn:
                parts.append(drawn[0])
                height = max(height, drawn[1])
                column += 1
        if height:
            y += height + GAP
    style = ("text{font:11px sans-serif;fill:#222}.head{font-size:16px;font-weight:bold}"
             ".title{font-weight:bold}.name{text-anchor:end}"
             ".unfit{fill:#c00;text-anchor:end}"
             ".range{stroke:#222;stroke-width:1;fill:none}")
    head = (f'<text class="head" x="20" y="24">rpproxy beside HAProxy and nginx</text>'
            f'<text x="20" y="42">{html.escape(where["cpu"])}, {where["cpus"]} CPUs shared by '
            f'generator, proxy and origin; Linux {html.escape(where["kernel"])}; '
            f'{html.escape(where["congestion"])}; medians, and the range of the rounds</text>')
    if unfit(results):
        head += (f'<text class="unfit" x="{WIDTH - 20}" y="24">not for publishing: '
                 f'{html.escape(unfit(results))}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
            f'viewBox="0 0 {WIDTH} {y}"><style>{style}</style>'
            f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>{head}{"".join(parts)}</svg>\n')
