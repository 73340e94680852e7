// Transcribes recordings, each in a goroutine of its own, with one copy of the weights; prints each text in the order
// given. Needs the installed library, which pkg-config finds.
//
//	go run . MODEL VAD RECORDING…
package main

/*
#cgo pkg-config: tutti
#include <stdlib.h>
#include <tutti.h>
*/
import "C"

import (
	"fmt"
	"os"
	"sync"
	"unsafe"
)

// Recognizer may be used by any number of goroutines at the same time.
type Recognizer struct{ handle *C.tutti_recognizer }

func failure(code C.tutti_code, message *C.char) error {
	defer C.tutti_free_string(message)
	return fmt.Errorf("%s: %s", C.GoString(C.tutti_code_name(code)), C.GoString(message))
}

func NewRecognizer(model, vad string) (*Recognizer, error) {
	var options C.tutti_recognizer_options
	C.tutti_recognizer_options_init(&options)
	options.model = C.CString(model)
	defer C.free(unsafe.Pointer(options.model))
	options.vad = C.CString(vad)
	defer C.free(unsafe.Pointer(options.vad))
	var code C.tutti_code
	var message *C.char
	handle := C.tutti_recognizer_create(&options, &code, &message)
	if handle == nil {
		return nil, failure(code, message)
	}
	return &Recognizer{handle}, nil
}

func (r *Recognizer) Close() { C.tutti_recognizer_free(r.handle) }

func (r *Recognizer) Transcribe(path string) (string, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	audio := C.tutti_audio_from_file(name)
	defer C.tutti_audio_free(audio)
	var transcript *C.tutti_transcript
	var message *C.char
	if code := C.tutti_transcribe(r.handle, audio, nil, &transcript, &message); code != C.TUTTI_OK {
		return "", failure(code, message)
	}
	defer C.tutti_transcript_free(transcript)
	return C.GoString(C.tutti_transcript_text(transcript)), nil
}

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: transcribe MODEL VAD RECORDING...")
		os.Exit(2)
	}
	recognizer, err := NewRecognizer(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer recognizer.Close()

	paths := os.Args[3:]
	texts, errs := make([]string, len(paths)), make([]error, len(paths))
	var all sync.WaitGroup
	for i, path := range paths {
		all.Add(1)
		go func(i int, path string) {
			defer all.Done()
			texts[i], errs[i] = recognizer.Transcribe(path)
		}(i, path)
	}
	all.Wait()
	for i := range paths {
		if errs[i] != nil {
			fmt.Fprintln(os.Stderr, paths[i], errs[i])
			defer os.Exit(1)
		} else {
			fmt.Println(texts[i])
		}
	}
}
