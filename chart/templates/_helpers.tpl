{{- define "watchchain.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "watchchain.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "watchchain.labels" -}}
{{ include "watchchain.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "watchchain.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "watchchain.name" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "watchchain.secret" -}}
{{- .Values.slack.existingSecret | default (ternary (include "watchchain.name" .) "" (ne .Values.slack.webhookURL "")) -}}
{{- end -}}

{{- define "watchchain.webSecret" -}}
{{- .Values.web.existingSecret | default (ternary (include "watchchain.name" .) "" (ne .Values.web.token "")) -}}
{{- end -}}

{{- /* The configuration as the ConfigMap holds it; the slack handler comes last, its URL and the page's token from the environment. */ -}}
{{- define "watchchain.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if include "watchchain.secret" . -}}
{{- $slack := dict "name" "slack" "webhookURL" "${SLACK_WEBHOOK_URL}" -}}
{{- with .Values.slack.clusterName }}{{ $_ := set $slack "clusterName" . }}{{ end -}}
{{- $_ := set $config "handler" (append ($config.handler | default list) $slack) -}}
{{- end -}}
{{- if include "watchchain.webSecret" . -}}
{{- $_ := set $config "web" (merge (dict "token" "${WEB_TOKEN}") ($config.web | default dict)) -}}
{{- end -}}
{{ toToml $config | trim }}
{{- end -}}
