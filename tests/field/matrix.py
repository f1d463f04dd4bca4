"""What the phases of try.py mean: a row a server, a line of the matrix, the faults."""

FAILS = ("exits", "silent")


def lines_of(text):
    return set(filter(None, (line.strip() for line in (text or "").splitlines())))


def same_words(native, again, shim, vary):
    """Whether the shim's run says what a native one says; what two native runs differ in is noise."""
    if vary:
        return True
    noise = lines_of(native) ^ lines_of(again)
    return not (lines_of(native) ^ lines_of(shim)) - noise


def restart_of(phase):
    """'works', 'exits', 'silent', or None where nothing remained that a restart could fail at."""
    if len(phase["starts"]) < 2:
        return None
    if phase["starts"][1] in FAILS:
        return phase["starts"][1]
    return "works" if phase["remains"][0] else None


def verdict_is_right(phase):
    restart = restart_of(phase)
    verdicts = phase.get("verdicts")
    if restart is None or not verdicts:
        return None
    return (restart in FAILS) == ("next-restart-fails" in verdicts)


def true_report(phase):
    """How many bind-failed reports tell who holds the port, and how many do not. A server that has
    given up its rights may not look into a process of root: then that is what is true."""
    holder = f"[{phase['holder']}] listening on "
    failed = [line for line in phase["reports"] if ": bind-failed: " in line]
    true = [line for line in failed if holder in line or "may not be looked into (uid 0" in line]
    return len(true), len(failed) - len(true)


def judge(result):
    row = {"name": result["name"], "faults": [], "result": result}
    native, shim = result.get("native"), result.get("shim")
    if not native or "error" in native or native["starts"][0] != "serves":
        row["state"] = "does not start here"
        return row
    row["state"] = "tried"
    row["native"] = restart_of(native)
    if not shim or "error" in shim:
        row["faults"].append("no result under libreuse")
        return row
    served = shim["starts"].count("serves") - (shim["starts"][0] == "serves")
    row["shim"] = served
    row["reached"] = shim.get("library is in it")
    if row["native"] in FAILS:
        row["rescued"] = served == 3
    if served < 3 and (row["reached"] or row["native"] not in FAILS):
        row["faults"].append(f"{served} of 3 restarts")
    row["audit native"] = verdict_is_right(native)
    row["audit shim"] = verdict_is_right(shim)
    for key in ("audit native", "audit shim"):
        if row[key] is False:
            row["faults"].append(f"{key} verdict {native['verdicts'] if key == 'audit native' else shim['verdicts']}")
    if "check says reached" in shim and shim["preload was kept"]:
        row["check"] = shim["check says reached"] == shim["library is in it"]
        if not row["check"]:
            row["faults"].append("check PROGRAM is wrong")
    again = result.get("native-again", native)
    row["same"] = (native["answers"][:1] == shim["answers"][:1]
                   and same_words(native.get("first words"), again.get("first words"), shim.get("first words"),
                               result["vary"])
                   and (native["statuses"][:1] == shim["statuses"][:1] or native["statuses"][:1] != again["statuses"][:1]))
    if not row["same"]:
        row["faults"].append("the first run differs")
    bare, held = result.get("occupied-native", {}), result.get("occupied-shim", {})
    if "status" in bare and "status" in held:
        again = result.get("occupied-native-again", bare)
        row["occupied same"] = (bare["status"] == held["status"] or bare["status"] != again["status"]) and same_words(
            bare["words"], again["words"], held["words"], result["vary"])
        if not row["occupied same"]:
            row["faults"].append("the run on an occupied port differs")
        if row["reached"]:
            row["true reports"], row["other reports"] = true_report(held)
            if not row["true reports"]:
                row["faults"].append("no report names the holder")
    return row


def word(value):
    return str(value) if type(value) is int else {True: "yes", False: "NO", None: "-"}.get(value, value)


COLUMNS = (("native", "native restart"), ("shim", "of 3 with libreuse"), ("reached", "reached"),
           ("same", "unchanged"), ("occupied same", "unchanged, port held"), ("true reports", "true reports"),
           ("audit native", "audit right"), ("audit shim", "audit right, armed"), ("check", "check right"))


def line(row):
    if row["state"] != "tried":
        return f"{row['name']:28} {row['state']}"
    cells = ", ".join(f"{title} {word(row.get(key))}" for key, title in COLUMNS)
    return f"{row['name']:28} {cells}" + "".join(f"\n    FAULT {fault}" for fault in row["faults"])


def faults(rows):
    """Of those that are not known."""
    return [row["name"] for row in rows if row["faults"] and not row["result"].get("known")]


def summary(rows):
    tried = [row for row in rows if row["state"] == "tried"]
    failing = [row for row in tried if row.get("native") in FAILS]
    verdicts = [row[key] for row in tried for key in ("audit native", "audit shim") if row.get(key) is not None]
    return (f"{len(rows)} servers, {len(tried)} started here; {len(failing)} fail their restart natively, "
            f"{sum(bool(row.get('rescued')) for row in failing)} of these are rescued; "
            f"{sum(bool(row.get('same')) for row in tried)} first runs and "
            f"{sum(bool(row.get('occupied same')) for row in tried)} runs on a held port unchanged; "
            f"audit right {sum(verdicts)} of {len(verdicts)}, "
            f"check {sum(bool(row.get('check')) for row in tried)} of {sum('check' in row for row in tried)}; "
            f"faults: {', '.join(faults(rows)) or 'none'}")


def markdown(rows):
    out = [summary(rows), "", "| server | " + " | ".join(title for _, title in COLUMNS) + " |",
           "|---|" + "---|" * len(COLUMNS)]
    for row in rows:
        if row["state"] == "tried":
            out.append(f"| {row['name']} | " + " | ".join(word(row.get(key)) for key, _ in COLUMNS) + " |")
    out += ["", *(f"{row['name']}: {', '.join(row['faults'])}. Known: {row['result']['known']}." for row in rows
                  if row["faults"] and row["result"].get("known"))]
    absent = [row["name"] for row in rows if row["state"] != "tried"]
    if absent:
        out += ["", "Not tried, because they did not start in the throw-away host: " + ", ".join(absent) + "."]
    return "\n".join(out) + "\n"
