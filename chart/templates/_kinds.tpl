{{- /* What roles call the built-in kinds. The keys are singular, in lower case, as people write them; plurals are found too. */ -}}
{{- define "watchchain.kinds" -}}
configmap: { group: '', resource: configmaps }
endpoints: { group: '', resource: endpoints }
event: { group: '', resource: events }
limitrange: { group: '', resource: limitranges }
namespace: { group: '', resource: namespaces, namespaced: false }
node: { group: '', resource: nodes, namespaced: false }
persistentvolume: { group: '', resource: persistentvolumes, namespaced: false }
persistentvolumeclaim: { group: '', resource: persistentvolumeclaims }
pod: { group: '', resource: pods }
replicationcontroller: { group: '', resource: replicationcontrollers }
resourcequota: { group: '', resource: resourcequotas }
secret: { group: '', resource: secrets }
service: { group: '', resource: services }
serviceaccount: { group: '', resource: serviceaccounts }
daemonset: { group: apps, resource: daemonsets }
deployment: { group: apps, resource: deployments }
replicaset: { group: apps, resource: replicasets }
statefulset: { group: apps, resource: statefulsets }
horizontalpodautoscaler: { group: autoscaling, resource: horizontalpodautoscalers }
cronjob: { group: batch, resource: cronjobs }
job: { group: batch, resource: jobs }
endpointslice: { group: discovery.k8s.io, resource: endpointslices }
ingress: { group: networking.k8s.io, resource: ingresses }
ingressclass: { group: networking.k8s.io, resource: ingressclasses, namespaced: false }
networkpolicy: { group: networking.k8s.io, resource: networkpolicies }
poddisruptionbudget: { group: policy, resource: poddisruptionbudgets }
clusterrole: { group: rbac.authorization.k8s.io, resource: clusterroles, namespaced: false }
clusterrolebinding: { group: rbac.authorization.k8s.io, resource: clusterrolebindings, namespaced: false }
role: { group: rbac.authorization.k8s.io, resource: roles }
rolebinding: { group: rbac.authorization.k8s.io, resource: rolebindings }
storageclass: { group: storage.k8s.io, resource: storageclasses, namespaced: false }
customresourcedefinition: { group: apiextensions.k8s.io, resource: customresourcedefinitions, namespaced: false }
{{- end -}}

{{- /*
What may be listed and watched where, as {"namespaces": {"": ["apps/deployments"], "shop": [...]}}; "" is every namespace.
The resources of every chain count; one that names no namespaces has the values' own. What may only be looked up, one by one, ends
in "/get".
*/ -}}
{{- define "watchchain.access" -}}
{{- $kinds := mergeOverwrite (include "watchchain.kinds" . | fromYaml) .Values.kinds -}}
{{- $resources := .Values.config.resource | default list -}}
{{- range .Values.config.chain }}{{ $resources = concat $resources (.resource | default list) }}{{ end -}}
{{- range .Values.lookupKinds }}{{ $resources = append $resources (dict "kind" . "access" "/get") }}{{ end -}}
{{- $access := dict -}}
{{- range $wanted := $resources -}}
  {{- $name := lower $wanted.kind -}}
  {{- $found := get $kinds $name -}}
  {{- range $kinds }}{{ if eq .resource $name }}{{ $found = . }}{{ end }}{{ end -}}
  {{- if not $found -}}
    {{- fail (printf "kind %q is not known to the chart: say what roles call it, as in  kinds: { %s: { group: shop.example.com, resource: %ss } }" $wanted.kind $name $name) -}}
  {{- end -}}
  {{- $namespaces := $wanted.namespaces | default $.Values.namespaces | default (list "") -}}
  {{- if eq (toString $found.namespaced) "false" }}{{ $namespaces = list "" }}{{ end -}}
  {{- range $namespace := $namespaces -}}
    {{- $_ := set $access $namespace (append (get $access $namespace | default list) (printf "%s/%s%s" $found.group $found.resource ($wanted.access | default "")) | uniq) -}}
  {{- end -}}
{{- end -}}
{{ toJson (dict "namespaces" $access) }}
{{- end -}}

{{- /* The rules for a list of group/resource, or group/resource/get. */ -}}
{{- define "watchchain.rules" -}}
{{- range . }}
{{- $parts := splitn "/" 3 . }}
- apiGroups: [{{ $parts._0 | quote }}]
  resources: [{{ $parts._1 | quote }}]
  verbs: [{{ $parts._2 | default "list, watch" }}]
{{- end }}
{{- end -}}
