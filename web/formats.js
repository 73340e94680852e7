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

const closers = ["\"", "'", ")", "]", "”", "’", "»", "」", "』", "）"];
const sentenceEnds = [".", "?", "!", "…", "。", "？", "！", "؟", "।"];
const clauseEnds = [",", ";", ":", "，", "、", "；", "：", "،"];
const pauseMs = 300;
const leastPart = 4;
const betweenWords = 0, afterClause = 1, afterSentence = 2;

// A segment as subtitles of at most 7 s and 84 columns, cut between tokens where these have times.
function cues(segment, maxMs = 7000, maxColumns = 84) {
  if (!trimmed(segment.text)) return [];
  const whole = [{ start: segment.start_ms, end: segment.end_ms, text: segment.text }];
  if (segment.end_ms - segment.start_ms <= maxMs && columns(segment.text) <= maxColumns) return whole;
  const tokens = segment.tokens;
  const places = tokenPlaces(segment);
  if (!places.length || !tokens.every((token) => token.start_ms !== null && token.end_ms !== null)) return whole;

  const between = (first, end) => trimmed(segment.text.slice(first === 0 ? 0 : places[first], places[end]));
  const fits = (begin, end, part) => tokens[end - 1].end_ms - tokens[begin].start_ms <= maxMs / part &&
    columns(between(begin, end)) <= maxColumns / part;
  const placeOfCut = (begin, most) => {
    let best = most, bestRank = betweenWords;
    for (let place = most; place > begin && bestRank < afterSentence; --place) {
      const pause = tokens[place].start_ms - tokens[place - 1].end_ms;
      const rank = rankOfCut(between(begin, place), pause, !fits(begin, place, leastPart));
      if (rank > bestRank) [best, bestRank] = [place, rank];
    }
    return best;
  };
  const found = [];
  for (let begin = 0, end = 0; begin < tokens.length; begin = end) {
    end = begin + 1;
    while (end < tokens.length && fits(begin, end + 1, 1)) ++end;
    if (end < tokens.length) end = placeOfCut(begin, end);
    found.push({ start: tokens[begin].start_ms, end: tokens[end - 1].end_ms, text: between(begin, end) });
  }
  return found;
}

// How good it is to cut behind `text`, which a pause follows.
function rankOfCut(text, pause, isLongEnough) {
  if (pause >= pauseMs) return afterSentence;
  if (!isLongEnough) return betweenWords;
  let bare = text;
  for (let closer; (closer = closers.find((each) => bare.endsWith(each)));) bare = bare.slice(0, -closer.length);
  const ends = (mark) => bare.endsWith(mark);
  if (sentenceEnds.some(ends)) return afterSentence;
  return clauseEnds.some(ends) ? afterClause : betweenWords;
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
