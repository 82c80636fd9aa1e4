// What Go's text/template and sprig make of the templates in templates.json, as kubernetes-event-exporter calls them: written to
// rendered.json, with which a test compares ours. To run it again: `go run . < templates.json > rendered.json`.
package main

import (
	"encoding/json"
	"log"
	"os"
	"strings"
	"text/template"
	"time"

	"github.com/Masterminds/sprig/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EnhancedEvent has the fields and methods that templates of kubernetes-event-exporter may use.
type EnhancedEvent struct {
	corev1.Event   `json:",inline"`
	ClusterName    string         `json:"clusterName"`
	InvolvedObject InvolvedObject `json:"involvedObject"`
}

type InvolvedObject struct {
	corev1.ObjectReference `json:",inline"`
	Labels                 map[string]string       `json:"labels,omitempty"`
	Annotations            map[string]string       `json:"annotations,omitempty"`
	OwnerReferences        []metav1.OwnerReference `json:"ownerReferences,omitempty"`
	Deleted                bool                    `json:"deleted"`
}

func (e *EnhancedEvent) first() time.Time {
	if e.FirstTimestamp.IsZero() {
		return e.EventTime.Time
	}
	return e.FirstTimestamp.Time
}

func (e *EnhancedEvent) GetTimestampMs() int64 { return e.first().UnixNano() / int64(time.Millisecond) }

func (e *EnhancedEvent) GetTimestampISO8601() string {
	return e.first().Format("2006-01-02T15:04:05.000Z")
}

type input struct {
	ClusterName string                     `json:"clusterName"`
	Events      map[string]json.RawMessage `json:"events"`
	Involved    map[string]json.RawMessage `json:"involved"`
	Templates   []string                   `json:"templates"`
}

type rendered struct {
	Template string `json:"template"`
	Event    string `json:"event"`
	// What Go refuses while it renders has none.
	Text *string `json:"text"`
}

func main() {
	log.SetFlags(0)
	time.Local = time.UTC
	var in input
	check(json.NewDecoder(os.Stdin).Decode(&in))
	var out []rendered
	for _, text := range in.Templates {
		for _, name := range []string{"full", "bare"} {
			out = append(out, rendered{text, name, render(text, in, name)})
		}
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	check(encoder.Encode(out))
}

func render(text string, in input, name string) *string {
	var event EnhancedEvent
	check(json.Unmarshal(in.Events[name], &event))
	check(json.Unmarshal(in.Involved[name], &event.InvolvedObject))
	event.ClusterName = in.ClusterName
	parsed, err := template.New("template").Funcs(sprig.TxtFuncMap()).Parse(text)
	check(err)
	var b strings.Builder
	if err := parsed.Execute(&b, &event); err != nil {
		return nil
	}
	written := b.String()
	return &written
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
