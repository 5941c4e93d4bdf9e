module habitus/envoy-rbac

go 1.23

require (
	github.com/envoyproxy/go-control-plane/envoy v1.35.0
	google.golang.org/protobuf v1.36.9
	sigs.k8s.io/yaml v1.6.0
)
