// A reader of event streams in Go, with the package that Debian has: URL, LAST-EVENT-ID. Prints what comes, one JSON a line.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/donovanhide/eventsource"
)

func main() {
	stream, err := eventsource.Subscribe(os.Args[1], os.Args[2])
	if err != nil {
		panic(err)
	}
	for {
		select {
		case event := <-stream.Events:
			line, _ := json.Marshal([]string{event.Id(), event.Event(), event.Data()})
			fmt.Println(string(line))
		case err := <-stream.Errors:
			panic(err)
		}
	}
}
