{{- define "watchchain.name" -}}
{{- $chart := .Values.nameOverride | default .Chart.Name -}}
{{- $name := contains $chart .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $chart) -}}
{{- /* A release name may contain dots or begin with a digit; a Service's may not, before Kubernetes 1.36. */ -}}
{{- if regexMatch "^[0-9]" $name }}{{ $name = printf "w-%s" $name }}{{ end -}}
{{- .Values.fullnameOverride | default $name | replace "." "-" | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "watchchain.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "watchchain.labels" -}}
{{ include "watchchain.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "watchchain.podLabels" -}}
{{- $own := include "watchchain.labels" . -}}
{{- range $key, $_ := .Values.podLabels }}
{{- if hasKey (fromYaml $own) $key }}{{ fail (printf "podLabels holds %q, which is the chart's own: leave it out" $key) }}{{ end -}}
{{- end -}}
{{ $own }}
{{- with .Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "watchchain.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "watchchain.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- /* The Secret with the slack handler's URL, if that handler is added; and the one with the page's token. */ -}}
{{- define "watchchain.secret" -}}
{{- .Values.slack.existingSecret | default (.Values.slack.webhookURL | empty | ternary "" (include "watchchain.name" .)) -}}
{{- end -}}

{{- define "watchchain.webSecret" -}}
{{- .Values.web.existingSecret | default (.Values.web.token | empty | ternary "" (include "watchchain.name" .)) -}}
{{- end -}}

{{- /* The variables that configurations refer to as `${VAR}`. */ -}}
{{- define "watchchain.env" -}}
{{- with include "watchchain.secret" . }}
- name: SLACK_WEBHOOK_URL
  valueFrom: { secretKeyRef: { name: {{ . | quote }}, key: {{ $.Values.slack.key | quote }} } }
{{- end }}
{{- with include "watchchain.webSecret" . }}
- name: WEB_TOKEN
  valueFrom: { secretKeyRef: { name: {{ . | quote }}, key: {{ $.Values.web.key | quote }} } }
{{- end }}
{{- if eq (include "watchchain.form" .) "giantSwarm" }}
- { name: MANAGEMENT_CLUSTER, value: {{ .Values.managementCluster.name | quote }} }
{{- if .Values.slack.token }}
- { name: SLACK_CHANNEL, value: {{ .Values.slack.channel | quote }} }
- name: SLACK_TOKEN
  valueFrom: { secretKeyRef: { name: {{ include "watchchain.name" . }}, key: slackToken } }
{{- end }}
{{- if .Values.slack.webhook }}
- name: SLACK_WEBHOOK_URL
  valueFrom: { secretKeyRef: { name: {{ include "watchchain.name" . }}, key: {{ .Values.slack.key | quote }} } }
{{- end }}
{{- end }}
{{- with concat (.Values.env | default list) (.Values.extraEnv | default list) }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* The content of this release's Secret. */ -}}
{{- define "watchchain.secrets" -}}
{{- $values := dict -}}
{{- range $table, $key := dict "slack" "webhookURL" "web" "token" -}}
  {{- with index $.Values $table -}}
    {{- if and .existingSecret (index . $key) }}{{ fail (printf "%[1]s.%[2]s and %[1]s.existingSecret are both set: give only one of them" $table $key) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- with .Values.slack -}}
  {{- if and (or .webhookURL .webhook) (not .existingSecret) }}{{ $_ := set $values .key (.webhookURL | default .webhook) }}{{ end -}}
  {{- with .token }}{{ $_ := set $values "slackToken" . }}{{ end -}}
{{- end -}}
{{- if and .Values.web.token (not .Values.web.existingSecret) }}
  {{- if hasKey $values .Values.web.key }}{{ fail (printf "slack.key and web.key are both %q: in one Secret, each needs its own key" .Values.web.key) }}{{ end -}}
  {{- $_ := set $values .Values.web.key .Values.web.token -}}
{{- end -}}
{{- if $values }}{{ toYaml $values }}{{ end -}}
{{- end -}}

{{- /* OpenShift picks users and groups itself, and refuses others. */ -}}
{{- define "watchchain.isOpenShift" -}}
{{- if or .Values.openshift (.Capabilities.APIVersions.Has "security.openshift.io/v1") }}true{{ end -}}
{{- end -}}

{{- define "watchchain.podSecurityContext" -}}
{{- $context := .Values.podSecurityContext -}}
{{- if include "watchchain.isOpenShift" . }}{{ $context = omit $context "runAsUser" "runAsGroup" "fsGroup" }}{{ end -}}
{{ toYaml $context }}
{{- end -}}

{{- define "watchchain.securityContext" -}}
{{- $context := .Values.securityContext -}}
{{- if include "watchchain.isOpenShift" . }}{{ $context = omit $context "runAsUser" "runAsGroup" }}{{ end -}}
{{ toYaml $context }}
{{- end -}}

{{- define "watchchain.image" -}}
{{- if regexMatch "(kwatchman|event-exporter)[^/]*$" .Values.image.repository }}{{ fail (printf "image.repository is %q, the image of another tool: leave it out, or name watchchain's" .Values.image.repository) }}{{ end -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end -}}

{{- /* Where the volume with the configuration comes from. */ -}}
{{- define "watchchain.configSource" -}}
{{- if include "watchchain.configIsSecret" . -}}
secret: { secretName: {{ include "watchchain.name" . }}-config }
{{- else -}}
configMap: { name: {{ include "watchchain.name" . }} }
{{- end -}}
{{- end -}}

{{- /* Which configuration, and what fills it in: for the service, and for the check of `helm test`. */ -}}
{{- define "watchchain.configArgs" -}}
- --config=/etc/watchchain/{{ (include "watchchain.file" . | fromJson).name }}
{{- $filter := include "watchchain.filter" . | fromJson }}
{{- with $filter.namespaces }}
- --namespace={{ join "," . }}
{{- end }}
{{- with $filter.labelSelector }}
- --label-selector={{ . }}
{{- end }}
{{- if .Values.lenient }}
- --lenient
{{- end }}
{{- if .Values.lease.enabled }}
- --lease={{ .Release.Namespace }}/{{ include "watchchain.name" . }}
{{- end }}
{{- end -}}
