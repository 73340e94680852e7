"""What the fake server answers: transcripts in the shape of docs/transcript.schema.json, and their formats."""
import csv
import json
import pathlib

SAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / ".cache/samples/transcripts.tsv"
CALL = [
    (0, "Good morning, Harbour Clinic, this is Anna. How can I help you?"),
    (1, "Hi, I would like to move my appointment from Tuesday to later in the week, if that is possible."),
    (0, "Of course. I have Thursday at ten fifteen, or Friday at half past two."),
    (1, "Thursday at ten fifteen is perfect, thank you."),
    (0, "Wonderful. You will get a message with the details in a minute. Is there anything else?"),
    (1, "No, that was all. Have a nice day!"),
]
MEETING = [
    (0, "大家早上好，我们先看一下上周的进度。"),
    (0, "语音识别服务已经上线，单机速度超过两百倍实时。"),
    (0, "下一步是流式识别，预计月底完成第一个版本，到时候请大家一起测试。"),
    (0, "有问题的话请在群里告诉我，谢谢。"),
]
HOSTILE = [(0, "<img src=x onerror=\"document.title='broken'\"> & --> done")]
PLAIN = [(0, "one"), (1, "two three"), (0, "four")]
SENTENCE_ENDS, CLAUSE_ENDS = tuple(".?!…。？！؟।"), tuple(",;:，、；：،")


def is_cjk(character):
    return "\u3400" <= character <= "\u9fff"


def samples():
    """What is said in the samples, by name; the examples of docs/http.md use them."""
    if not SAMPLES.exists():
        return {}
    with SAMPLES.open(encoding="utf-8") as rows:
        return {row["file"].rpartition("/")[2]: row["text"] for row in csv.DictReader(rows, delimiter="\t")}


def tokens_of(text):
    word, found = "", []
    for character in text + " ":
        if is_cjk(character) or not (character.isalnum() or character == "'"):
            if word:
                found.append(word)
            word = ""
            if is_cjk(character):
                found.append(character)
        else:
            word += character
    return found


def transcript(name, channels="mix", model="demo-paraformer"):
    lower = name.lower()
    sample = samples().get(name)
    lines = ([(0, sample)] if sample else CALL if "call" in lower else MEETING if "meeting" in lower or "会议" in name else
             HOSTILE if "hostile" in lower else [] if "silent" in lower else PLAIN)
    split = channels == "split"
    segments, now = [], 400
    for channel, text in lines:
        start, tokens = now, []
        for token in tokens_of(text):
            length = 230 if is_cjk(token[0]) else 90 + 55 * len(token)
            unsure = token.lower() in ("half", "fifteen", "月")
            tokens.append({"text": token, "start_ms": now, "end_ms": now + length, "score": -0.95 if unsure else -0.0312})
            now += length + 20
        segments.append({"start_ms": start, "end_ms": now, "channel": channel if split else 0, "text": text,
                         "tokens": tokens})
        now += 900
    return {"file": name, "duration_ms": now, "text": joined(s["text"] for s in segments), "segments": segments,
            "channels": 2 if split else 1, "truncated": False, "model": model, "compute_type": "int8",
            "timings": {"decode_s": 0.0103, "vad_s": 0.0401, "features_s": 0.0102, "recognise_s": 0.1203, "wall_s": 0.1401}}


def joined(texts):
    out = ""
    for text in texts:
        out += text if not out or is_cjk(out[-1]) and is_cjk(text[0]) else " " + text
    return out


def render(result, form):
    if form == "txt":
        return result["text"] + "\n" if result["text"] else ""
    if form == "json":
        return json.dumps(result, ensure_ascii=False, indent=2) + "\n"
    if form == "tsv":
        return "start\tend\ttext\n" + "".join(f"{s['start_ms']}\t{s['end_ms']}\t{s['text']}\n" for s in result["segments"])
    out = "" if form == "srt" else "WEBVTT\n\n"
    number = 0
    for segment in result["segments"]:
        for start, end, text in cues(segment):
            number += 1
            if form == "srt":
                who = f"[{segment['channel'] + 1}] " if result["channels"] > 1 else ""
                out += f"{number}\n{clock(start, ',')} --> {clock(end, ',')}\n{who}{text.replace('-->', '->')}\n\n"
            else:
                who = f"<v Channel {segment['channel'] + 1}>" if result["channels"] > 1 else ""
                text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
                out += f"{clock(start, '.')} --> {clock(end, '.')}\n{who}{text}\n\n"
    return out


def cues(segment, max_ms=7000, max_columns=84):
    """As src/pipeline/cues.cc cuts them."""
    text, tokens = segment["text"], segment["tokens"]
    columns = lambda part: sum(2 if ord(c) >= 0x800 else 1 for c in part)
    if segment["end_ms"] - segment["start_ms"] <= max_ms and columns(text) <= max_columns:
        return [(segment["start_ms"], segment["end_ms"], text)]
    places, at = [], 0
    for token in tokens:
        at = text.index(token["text"], at)
        places.append(at)
        at += len(token["text"])
    part = lambda first, end: text[places[first] if first else 0:places[end] if end < len(tokens) else None].strip(" ")
    fits = lambda begin, end, share: (tokens[end - 1]["end_ms"] - tokens[begin]["start_ms"] <= max_ms / share
                                      and columns(part(begin, end)) <= max_columns / share)

    def rank(begin, place):
        if tokens[place]["start_ms"] - tokens[place - 1]["end_ms"] >= 300:
            return 2
        bare = part(begin, place).rstrip("\"')]”’»」』）")
        return 0 if fits(begin, place, 4) else 2 if bare.endswith(SENTENCE_ENDS) else 1 if bare.endswith(CLAUSE_ENDS) else 0

    found, begin = [], 0
    while begin < len(tokens):
        end = begin + 1
        while end < len(tokens) and fits(begin, end + 1, 1):
            end += 1
        if end < len(tokens):
            end = max(range(begin + 1, end + 1), key=lambda place: (rank(begin, place), place))
        found.append((tokens[begin]["start_ms"], tokens[end - 1]["end_ms"], part(begin, end)))
        begin = end
    return found


def clock(ms, point):
    return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"
