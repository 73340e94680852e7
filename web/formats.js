// A transcript as files, byte for byte as the server writes them (src/pipeline/formats.cc, cues.cc).

export const types = {
  txt: "text/plain", srt: "application/x-subrip", vtt: "text/vtt", json: "application/json",
};

export function render(transcript, format) {
  if (format === "txt") return transcript.text ? onOneLine(transcript.text) + "\n" : "";
  if (format === "srt") return srt(transcript);
  if (format === "vtt") return vtt(transcript);
  return JSON.stringify(transcript, null, 2) + "\n";
}

function srt(transcript) {
  let number = 0;
  return eachCue(transcript, (cue, segment) => {
    let line = onOneLine(cue.text).replaceAll("-->", "->");
    if (transcript.channels > 1) line = `[${segment.channel + 1}] ${line}`;
    return `${++number}\n${clock(cue.start, ",")} --> ${clock(cue.end, ",")}\n${line}\n\n`;
  });
}

function vtt(transcript) {
  return "WEBVTT\n\n" + eachCue(transcript, (cue, segment) => {
    let line = onOneLine(cue.text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    if (transcript.channels > 1) line = `<v Channel ${segment.channel + 1}>${line}`;
    return `${clock(cue.start, ".")} --> ${clock(cue.end, ".")}\n${line}\n\n`;
  });
}

function eachCue(transcript, write) {
  return transcript.segments.flatMap((segment) => cues(segment).map((cue) => write(cue, segment))).join("");
}

// A segment as subtitles of at most 7 s and 84 columns, cut between tokens where these have times.
function cues(segment, maxMs = 7000, maxColumns = 84) {
  if (!trimmed(segment.text)) return [];
  const whole = [{ start: segment.start_ms, end: segment.end_ms, text: segment.text }];
  if (segment.end_ms - segment.start_ms <= maxMs && columns(segment.text) <= maxColumns) return whole;
  const tokens = segment.tokens;
  const places = tokenPlaces(segment);
  if (!places.length || !tokens.every((token) => token.start_ms !== null && token.end_ms !== null)) return whole;

  const between = (first, end) => trimmed(segment.text.slice(first === 0 ? 0 : places[first], places[end]));
  const found = [];
  let first = 0;
  for (let i = 1; i <= tokens.length; ++i) {
    if (i < tokens.length && tokens[i].end_ms - tokens[first].start_ms <= maxMs &&
        columns(between(first, i + 1)) <= maxColumns) {
      continue;
    }
    found.push({ start: tokens[first].start_ms, end: tokens[i - 1].end_ms, text: between(first, i) });
    first = i;
  }
  return found;
}

// Where each token begins in the segment's text; empty when a token is not there.
export function tokenPlaces(segment) {
  const places = [];
  let from = 0;
  for (const token of segment.tokens) {
    const place = segment.text.indexOf(token.text, from);
    if (place < 0) return [];
    places.push(place);
    from = place + token.text.length;
  }
  return places;
}

function columns(text) {
  let sum = 0;
  for (const character of text) sum += character.codePointAt(0) >= 0x800 ? 2 : 1;
  return sum;
}

function trimmed(text) {
  return text.replace(/^ +| +$/g, "");
}

function onOneLine(text) {
  return text.replace(/[\n\r\t]/g, " ");
}

function clock(ms, point) {
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  return `${two(ms / 3600000)}:${two(ms / 60000 % 60)}:${two(ms / 1000 % 60)}${point}${String(ms % 1000).padStart(3, "0")}`;
}
