{{- /*
The form of the configuration. Only one may be given; the default is files/config.toml. Returns "text" (TOML), "tables" (the same
as YAML), "kwatchman", "exporter" (kubernetes-event-exporter's) or "giantSwarm" (the values of the app around it).
*/ -}}
{{- define "watchchain.form" -}}
{{- $given := list -}}
{{- if .Values.config }}{{ $given = append $given "config" }}{{ end -}}
{{- if .Values.kwatchman.config }}{{ $given = append $given "kwatchman.config" }}{{ end -}}
{{- if or .Values.watchReasons .Values.slack.token .Values.slack.webhook }}{{ $given = append $given "watchReasons, slack.token or slack.webhook" }}{{ end -}}
{{- if gt (len $given) 1 }}{{ fail (printf "%s: each is a whole configuration, so give only one of them" (join " and " $given)) }}{{ end -}}
{{- if .Values.kwatchman.config -}}
kwatchman
{{- else if and $given (not .Values.config) -}}
giantSwarm
{{- else if not (kindIs "map" .Values.config) -}}
text
{{- else if or (hasKey .Values.config "route") (hasKey .Values.config "receivers") -}}
exporter
{{- else -}}
tables
{{- end -}}
{{- end -}}

{{- /* The file that the program reads, as {"name", "text", "read"}; "read" is its parsed content, with keys in lower case. */ -}}
{{- define "watchchain.file" -}}
{{- $form := include "watchchain.form" . -}}
{{- if has $form (list "exporter" "giantSwarm") -}}
  {{- if or .Values.slack.webhookURL .Values.slack.existingSecret }}{{ fail "slack.webhookURL and slack.existingSecret add a handler to watchchain's own configuration; in kubernetes-event-exporter's, write a receiver" }}{{ end -}}
  {{- if or .Values.web.token .Values.web.existingSecret }}{{ fail "the page (web) needs watchchain's own configuration: `watchchain import` converts kubernetes-event-exporter's" }}{{ end -}}
  {{- $written := .Values.config -}}
  {{- if eq $form "giantSwarm" }}{{ $written = include "watchchain.giantSwarm" . | fromJson }}{{ end -}}
  {{ toJson (dict "name" "config.yaml" "text" (toYaml $written) "read" (include "watchchain.lower" $written | fromJson).value) }}
{{- else -}}
  {{- $text := eq $form "text" | ternary (.Values.config | default (.Files.Get "files/config.toml")) "" -}}
  {{- $tables := dict -}}
  {{- if $text -}}
    {{- $tables = fromToml $text -}}
    {{- $remedy := regexMatch "(?m)^(- )?[A-Za-z]+:(\\s|$)" $text | ternary "; give YAML as tables: `config:` without the `|`, and with --values instead of --set-file" "" -}}
    {{- with $tables.Error }}{{ fail (printf "config is not valid TOML: %s%s" . $remedy) }}{{ end -}}
  {{- else -}}
    {{- $tables = deepCopy (eq $form "kwatchman" | ternary .Values.kwatchman.config .Values.config) -}}
  {{- end -}}
  {{- $added := include "watchchain.added" (dict "root" . "tables" $tables) | fromJson -}}
  {{- range $key, $value := $added }}
    {{- $own := get $tables $key | default (kindIs "map" $value | ternary dict list) -}}
    {{- if kindIs "map" $value }}{{ $_ := set $tables $key (merge $value $own) }}
    {{- else }}{{ $_ := set $tables $key (concat (kindIs "map" $own | ternary (list $own) $own) $value) }}{{ end -}}
  {{- end -}}
  {{- if and $text $added -}}
    {{- /* Appended to the text, which stays as it is, if TOML allows that. */ -}}
    {{- $text = printf "%s\n%s" (trimSuffix "\n" $text) (toToml $added) -}}
    {{- if (fromToml $text).Error }}{{ $text = "" }}{{ end -}}
  {{- end -}}
  {{- if not $text -}}
    {{- $text = toToml $tables -}}
    {{- /* If the value cannot be written as TOML, toToml returns an error message. */ -}}
    {{- if (fromToml $text).Error }}{{ fail (printf "config: %s" $text) }}{{ end -}}
  {{- end -}}
  {{ toJson (dict "name" "config.toml" "text" $text "read" (include "watchchain.lower" $tables | fromJson).value) }}
{{- end -}}
{{- end -}}

{{- /*
What the values `slack` and `web` add to .tables: the slack handler comes last; its URL and the page's token come as variables.
A configuration that refers to ${SLACK_WEBHOOK_URL} or ${WEB_TOKEN} itself gets only the variable. Keys are spelled as in .tables,
since a second spelling is refused.
*/ -}}
{{- define "watchchain.added" -}}
{{- $added := dict -}}
{{- $written := toJson .tables -}}
{{- $spelt := dict "handler" "handler" "web" "web" -}}
{{- if and (include "watchchain.secret" .root) .root.Values.slack.channel -}}
  {{ fail "slack.channel has no effect with slack.webhookURL: a webhook posts to the channel that it was created for; leave it out" }}
{{- end -}}
{{- range $key := keys .tables }}{{ if hasKey $spelt (lower $key) }}{{ $_ := set $spelt (lower $key) $key }}{{ end }}{{ end -}}
{{- $isSlackAdded := and (include "watchchain.secret" .root) (not (contains "${SLACK_WEBHOOK_URL}" $written)) -}}
{{- if and .root.Values.slack.clusterName (not $isSlackAdded) -}}
  {{ fail "slack.clusterName is for the handler that slack.webhookURL and slack.existingSecret add, but none is added: write clusterName into the slack handler of your configuration" }}
{{- end -}}
{{- if $isSlackAdded -}}
  {{- if not (include "watchchain.lower" .tables | fromJson).value.resource }}{{ fail "slack.webhookURL and slack.existingSecret add a handler to the chain at the top of the configuration, which has no resource: write the slack handler into your own chain, with webhookURL = \"${SLACK_WEBHOOK_URL}\"" }}{{ end -}}
  {{- $slack := dict "name" "slack" "webhookURL" "${SLACK_WEBHOOK_URL}" -}}
  {{- with .root.Values.slack.clusterName }}{{ $_ := set $slack "clusterName" . }}{{ end -}}
  {{- $_ := set $added $spelt.handler (list $slack) -}}
{{- end -}}
{{- if and (include "watchchain.webSecret" .root) (not (contains "${WEB_TOKEN}" $written)) -}}
  {{- $_ := set $added $spelt.web (dict "token" "${WEB_TOKEN}") -}}
{{- end -}}
{{ toJson $added }}
{{- end -}}

{{- /* files/giant-swarm.yaml with the receivers that have values. */ -}}
{{- define "watchchain.giantSwarm" -}}
{{- $file := .Files.Get "files/giant-swarm.yaml" | fromYaml -}}
{{- $wanted := list -}}
{{- if .Values.slack.token -}}
  {{- if not .Values.slack.channel }}{{ fail "slack.token needs slack.channel: where to post" }}{{ end -}}
  {{- $wanted = append $wanted "slack" -}}
{{- end -}}
{{- if .Values.slack.webhook }}{{ $wanted = append $wanted "webhook" }}{{ end -}}
{{- if not $wanted }}{{ fail "watchReasons needs a receiver: set slack.token and slack.channel, or slack.webhook" }}{{ end -}}
{{- $routes := list -}}
{{- range $file.route.routes }}{{ if has (first .match).receiver $wanted }}{{ $routes = append $routes . }}{{ end }}{{ end -}}
{{- $receivers := list -}}
{{- range $file.receivers }}{{ if has .name $wanted }}{{ $receivers = append $receivers . }}{{ end }}{{ end -}}
{{ toJson (dict "watchReasons" (.Values.watchReasons | default $file.watchReasons) "route" (dict "routes" $routes) "receivers" $receivers) }}
{{- end -}}

{{- /* {"value": ...} with keys in lower case, since the program accepts any case. */ -}}
{{- define "watchchain.lower" -}}
{{- $value := . -}}
{{- if kindIs "map" . -}}
  {{- $value = dict -}}
  {{- range $key, $inner := . }}{{ $_ := set $value (lower $key) (include "watchchain.lower" $inner | fromJson).value }}{{ end -}}
{{- else if kindIs "slice" . -}}
  {{- $value = list -}}
  {{- range . }}{{ $value = append $value (include "watchchain.lower" . | fromJson).value }}{{ end -}}
{{- end -}}
{{ toJson (dict "value" $value) }}
{{- end -}}

{{- /* The older tools' files hold URLs and tokens, so they are stored as Secrets. */ -}}
{{- define "watchchain.configIsSecret" -}}
{{- if has (include "watchchain.form" .) (list "kwatchman" "exporter") }}true{{ end -}}
{{- end -}}

{{- /* The parts that the program reads only at the start; it reloads the rest of the file by itself. */ -}}
{{- define "watchchain.readOnce" -}}
{{- $read := (include "watchchain.file" . | fromJson).read -}}
{{- pick $read "cluster" "state" "web" "lookup" "tracing" "lease" "log" "clustername" "omitlookup" "kubeqps" "kubeburst" "loglevel" "logformat" "metricsnameprefix" | toJson -}}
{{- end -}}

{{- /* Resource defaults, like -n and -l: {"namespaces": [...], "labelSelector": ...}; kwatchman's names count, too. */ -}}
{{- define "watchchain.filter" -}}
{{- $older := .Values.kwatchman.filter_by -}}
{{- $namespaces := .Values.namespaces | default (without ($older.namespace | default "" | nospace | splitList ",") "") -}}
{{ toJson (dict "namespaces" $namespaces "labelSelector" (.Values.labelSelector | default $older.labelSelector)) }}
{{- end -}}
