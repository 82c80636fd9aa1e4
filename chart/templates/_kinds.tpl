{{- /*
The built-in kinds by their names in roles, as in src/source/built-in-kinds.ts (a test compares). Keys are singular, in lower case;
plurals and short names work, too.
*/ -}}
{{- define "watchchain.kinds" -}}
configmap: { group: '', resource: configmaps, short: cm }
endpoints: { group: '', resource: endpoints, short: ep }
event: { group: '', resource: events, short: ev }
limitrange: { group: '', resource: limitranges, short: limits }
namespace: { group: '', resource: namespaces, short: ns, namespaced: false }
node: { group: '', resource: nodes, short: 'no', namespaced: false }
persistentvolume: { group: '', resource: persistentvolumes, short: pv, namespaced: false }
persistentvolumeclaim: { group: '', resource: persistentvolumeclaims, short: pvc }
pod: { group: '', resource: pods, short: po }
replicationcontroller: { group: '', resource: replicationcontrollers, short: rc }
resourcequota: { group: '', resource: resourcequotas, short: quota }
secret: { group: '', resource: secrets }
service: { group: '', resource: services, short: svc }
serviceaccount: { group: '', resource: serviceaccounts, short: sa }
daemonset: { group: apps, resource: daemonsets, short: ds }
deployment: { group: apps, resource: deployments, short: deploy }
replicaset: { group: apps, resource: replicasets, short: rs }
statefulset: { group: apps, resource: statefulsets, short: sts }
horizontalpodautoscaler: { group: autoscaling, resource: horizontalpodautoscalers, short: hpa }
cronjob: { group: batch, resource: cronjobs, short: cj }
job: { group: batch, resource: jobs }
endpointslice: { group: discovery.k8s.io, resource: endpointslices }
ingress: { group: networking.k8s.io, resource: ingresses, short: ing }
ingressclass: { group: networking.k8s.io, resource: ingressclasses, namespaced: false }
networkpolicy: { group: networking.k8s.io, resource: networkpolicies, short: netpol }
poddisruptionbudget: { group: policy, resource: poddisruptionbudgets, short: pdb }
clusterrole: { group: rbac.authorization.k8s.io, resource: clusterroles, namespaced: false }
clusterrolebinding: { group: rbac.authorization.k8s.io, resource: clusterrolebindings, namespaced: false }
role: { group: rbac.authorization.k8s.io, resource: roles }
rolebinding: { group: rbac.authorization.k8s.io, resource: rolebindings }
storageclass: { group: storage.k8s.io, resource: storageclasses, short: sc, namespaced: false }
customresourcedefinition: { group: apiextensions.k8s.io, resource: customresourcedefinitions, short: crd, namespaced: false }
{{- end -}}

{{- /*
The entry of a kind, by the program's rules: `widgets.shop.example.com` or apiVersion gives the group; without one, built-in kinds
take precedence, since they come last.
*/ -}}
{{- define "watchchain.kind" -}}
{{- $parts := splitn "." 2 (lower .wanted.kind) -}}
{{- $name := $parts._0 -}}
{{- $group := regexReplaceAll "^v[0-9]+((alpha|beta)[0-9]+)?(\\.|$)" ($parts._1 | default "") "" -}}
{{- $apiVersion := .wanted.apiversion | default "" -}}
{{- if and $apiVersion (not (regexMatch "^v[0-9]" $apiVersion)) }}{{ $group = first (splitList "/" $apiVersion) }}{{ end -}}
{{- $isCore := regexMatch "^v[0-9]" $apiVersion -}}
{{- $found := dict -}}
{{- range .kinds }}{{ range $singular, $entry := . -}}
  {{- $isNamed := has $name (list (lower $singular) (lower $entry.resource) (lower ($entry.short | default ""))) -}}
  {{- if and $isNamed (or (not $group) (eq $entry.group $group)) (or (not $isCore) (eq $entry.group "")) }}{{ $found = $entry }}{{ end -}}
{{- end }}{{ end -}}
{{- if not $found -}}
  {{- $singular := regexReplaceAll "([^s])s$" $name "${1}" -}}
  {{- fail (printf "kind %q is not known to the chart: give its name in roles, as in  kinds: { %s: { group: %s, resource: %ss } }" .wanted.kind $singular ($group | default "shop.example.com") $singular) -}}
{{- end -}}
{{ toJson $found }}
{{- end -}}

{{- /*
The chains, as {"chains": [{"resources": [...], "handlers": [...]}]}, with the handlers of their branches; kubernetes-event-exporter's
file is a chain that watches Events.
*/ -}}
{{- define "watchchain.chains" -}}
{{- $chains := list -}}
{{- if hasKey . "receivers" -}}
  {{- $events := dict "kind" "event" "namespaces" (without (list (.namespace | default "")) "") -}}
  {{- $chains = list (dict "resources" (list $events) "handlers" list) -}}
{{- else -}}
  {{- range prepend (include "watchchain.list" .chain | fromJson).list . -}}
    {{- $chains = append $chains (merge (include "watchchain.handlers" . | fromJson) (dict "resources" (include "watchchain.list" .resource | fromJson).list)) -}}
  {{- end -}}
{{- end -}}
{{- $resources := list -}}
{{- range $chains }}{{ $resources = concat $resources .resources }}{{ end -}}
{{- if not $resources }}{{ fail "the configuration watches nothing: add a resource with a kind" }}{{ end -}}
{{- range $resources -}}
  {{- if or (not (kindIs "map" .)) (not .kind) (not (kindIs "string" .kind)) }}{{ fail (printf "resource %s: needs a kind, as a text" (toJson .)) }}{{ end -}}
{{- end -}}
{{ toJson (dict "chains" $chains) }}
{{- end -}}

{{- /* Takes a single table as a list of one. */ -}}
{{- define "watchchain.list" -}}
{{ toJson (dict "list" (or (kindIs "slice" .) (not .) | ternary (. | default list) (list .))) }}
{{- end -}}

{{- /* The handlers of a chain and of its branches, at any depth. */ -}}
{{- define "watchchain.handlers" -}}
{{- $handlers := (include "watchchain.list" .handler | fromJson).list -}}
{{- range $handlers }}{{ if not (and (kindIs "map" .) (kindIs "string" .name)) }}{{ fail (printf "handler %s: must be a table with a name" (toJson .)) }}{{ end }}{{ end -}}
{{- range (include "watchchain.list" .branch | fromJson).list }}{{ $handlers = concat $handlers (include "watchchain.handlers" . | fromJson).handlers }}{{ end -}}
{{ toJson (dict "handlers" $handlers) }}
{{- end -}}

{{- /*
The permissions by namespace, as {"namespaces": {"": {"apps/deployments": ["list", "watch"]}, "shop": {...}}}; "" is every namespace.
The same as `watchchain rbac` prints for this configuration, as checked by a test: the resources of every chain count; one without
namespaces uses the values'; a pattern needs all namespaces; what is granted in all is not repeated for one; lookups are granted
where namespaced kinds are watched, and what a handler asks for, where its chain watches any.
*/ -}}
{{- define "watchchain.access" -}}
{{- $kinds := list (.Values.kinds | default dict) (include "watchchain.kinds" . | fromYaml) -}}
{{- $read := (include "watchchain.file" . | fromJson).read -}}
{{- $default := (include "watchchain.filter" . | fromJson).namespaces -}}
{{- $access := dict -}}
{{- $watched := dict -}}
{{- $chains := (include "watchchain.chains" $read | fromJson).chains -}}
{{- range $chain := $chains -}}
  {{- $own := dict -}}
  {{- range $wanted := .resources -}}
    {{- $found := include "watchchain.kind" (dict "wanted" $wanted "kinds" $kinds) | fromJson -}}
    {{- $namespaces := $wanted.namespaces | default $default | default (list "") -}}
    {{- if kindIs "string" $namespaces }}{{ $namespaces = $namespaces | nospace | splitList "," }}{{ end -}}
    {{- $isNamespaced := ne (toString $found.namespaced) "false" -}}
    {{- range $isNamespaced | ternary $namespaces (list "") -}}
      {{- if contains "$" . }}{{ fail (printf "namespace %q: variables are unknown when the chart creates the roles: write the name itself" .) }}{{ end -}}
      {{- $where := contains "*" . | ternary "" . -}}
      {{- $place := get $access $where | default dict -}}
      {{- $_ := set $place (printf "%s/%s" $found.group $found.resource) (list "list" "watch") -}}
      {{- $_ := set $access $where $place -}}
      {{- if $isNamespaced }}{{ $_ := set $own $where true }}{{ end -}}
    {{- end -}}
  {{- end -}}
  {{- $_ := set $chain "places" (hasKey $own "" | ternary (list "") (keys $own | sortAlpha)) -}}
  {{- $watched = merge $watched $own -}}
{{- end -}}
{{- $everywhere := or (not $watched) (hasKey $watched "") | ternary (list "") (keys $watched | sortAlpha) -}}
{{- $looksUp := and (not $read.omitlookup) (ne (toString ($read.lookup | default dict).enabled) "false") -}}
{{- range $looksUp | ternary .Values.lookupKinds list -}}
  {{- $found := include "watchchain.kind" (dict "wanted" (dict "kind" .) "kinds" $kinds) | fromJson -}}
  {{- $what := printf "%s/%s" $found.group $found.resource -}}
  {{- range (eq (toString $found.namespaced) "false") | ternary (list "") $everywhere -}}
    {{- $place := get $access . | default dict -}}
    {{- $_ := set $place $what (prepend (get $place $what | default list) "get" | uniq) -}}
    {{- $_ := set $access . $place -}}
  {{- end -}}
{{- end -}}
{{- range $chain := $looksUp | ternary $chains list -}}
  {{- $asked := dict -}}
  {{- range .handlers -}}
    {{- if eq .name "podAlerts" -}}
      {{- if hasKey . "loglines" | ternary .loglines 20 }}{{ $_ := set $asked "/pods/log" "get" }}{{ end -}}
      {{- if hasKey . "events" | ternary .events 5 }}{{ $_ := set $asked "/events" "list" }}{{ end -}}
    {{- end -}}
  {{- end -}}
  {{- range $what, $verb := $asked -}}
    {{- range $chain.places | default $everywhere -}}
      {{- $place := get $access . | default dict -}}
      {{- $_ := set $place $what (append (get $place $what | default list) $verb | uniq) -}}
      {{- $_ := set $access . $place -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $wide := get $access "" | default dict -}}
{{- $smallest := dict -}}
{{- range $namespace, $place := $access -}}
  {{- $kept := dict -}}
  {{- range $what, $verbs := $place -}}
    {{- $given := list -}}
    {{- if $namespace }}{{ $given = get $wide $what | default list }}{{ end -}}
    {{- $missing := list -}}
    {{- range $verbs }}{{ if not (has . $given) }}{{ $missing = append $missing . }}{{ end }}{{ end -}}
    {{- if $missing }}{{ $_ := set $kept $what $missing }}{{ end -}}
  {{- end -}}
  {{- if $kept }}{{ $_ := set $smallest $namespace $kept }}{{ end -}}
{{- end -}}
{{ toJson (dict "namespaces" $smallest) }}
{{- end -}}

{{- /* The rules for {"group/resource": [verbs]}. */ -}}
{{- define "watchchain.rules" -}}
{{- range $what, $verbs := . }}
{{- $parts := splitn "/" 2 $what }}
- apiGroups: [{{ $parts._0 | quote }}]
  resources: [{{ $parts._1 | quote }}]
  verbs: [{{ join ", " $verbs }}]
{{- end }}
{{- end -}}
