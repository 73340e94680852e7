#!/bin/sh
# Makes tests/data/audio: one second of clip_b.wav (less for what does not compress) in the containers and codecs that the tests
# decode. Needs Debian's ffmpeg, sox and libsox-fmt-base (its AMR encoder). The files are committed, so that the tests
# need neither.
set -eu
cd "$(dirname "$0")/.."
out=tests/data/audio
mkdir -p "$out"
make() {  # make FILE OPTION…: FILE from the speech
  file=$1
  shift
  ffmpeg -nostdin -v error -y -bitexact -ss 0.3 -t 1 -i tests/data/fixtures/audio/clip_b.wav "$@" \
    -map_metadata -1 -fflags +bitexact -flags:a +bitexact "$out/$file"
}
make mulaw_8k.wav -t 0.5 -ar 8000 -c:a pcm_mulaw
make speech.g722 -c:a g722
make speech.mp3 -ar 44100 -ac 2 -c:a libmp3lame -b:a 32k
# Behind speech.mp3: a recording that changes its rate and channels.
make tail_16k.mp3 -t 0.4 -ar 16000 -ac 1 -c:a libmp3lame -b:a 16k
make speech.m4a -ar 44100 -c:a aac -b:a 32k
make speech.aac -c:a aac -b:a 24k
make speech.opus -c:a libopus -b:a 16k -page_duration 100000
make speech.ogg -c:a libvorbis -q:a 0
make speech.webm -c:a libopus -b:a 16k
# Left is the speech, right is silence.
make stereo_44k.flac -t 0.15 -ar 44100 -af 'pan=stereo|c0=c0|c1=0*c0' -c:a flac -compression_level 12
ffmpeg -nostdin -v error -y -bitexact -f lavfi -i testsrc=size=32x32:rate=5 \
  -ss 0.3 -t 1 -i tests/data/fixtures/audio/clip_b.wav -shortest -c:v mpeg4 -b:v 8k -c:a aac -b:a 24k \
  -movflags +faststart -map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact "$out/video.mp4"
ffmpeg -nostdin -v error -y -bitexact -f lavfi -i testsrc=size=32x32:rate=5:duration=0.4 -c:v mpeg4 -b:v 8k \
  -map_metadata -1 -fflags +bitexact -flags:v +bitexact "$out/no_audio.mp4"
sox -R tests/data/fixtures/audio/clip_b.wav -r 8000 -t amr-nb -C 7 "$out/speech.amr" trim 0.3 1
