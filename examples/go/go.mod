module example.com/transcribe

go 1.19
