// Reads an RBAC filter as Envoy's own definitions have it, and says which requests it lets pass.
//
// On standard input: one JSON object with the filter in YAML and the requests. On standard output: a
// JSON array of booleans. Fields that Envoy does not know, and values that it refuses, are errors.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"

	rbacconfig "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	rbac "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
	"sigs.k8s.io/yaml"
)

type request struct {
	Headers  map[string]string
	Metadata map[string]map[string]any
}

type asked struct {
	Filter   string
	Requests []request
}

type filter struct {
	Name        string          `json:"name"`
	TypedConfig json.RawMessage `json:"typed_config"`
}

func text(m *matcher.StringMatcher, value string) bool {
	switch p := m.MatchPattern.(type) {
	case *matcher.StringMatcher_Exact:
		return p.Exact == value
	case *matcher.StringMatcher_SafeRegex:
		return whole(p.SafeRegex.Regex, value)
	}
	panic("a text is matched in a way that is not looked at here")
}

// Envoy's expressions are RE2's, and match the whole text.
func whole(pattern, value string) bool {
	return regexp.MustCompile("^(?:" + pattern + ")$").MatchString(value)
}

func header(m *route.HeaderMatcher, r request) bool {
	value, there := r.Headers[m.Name]
	return there && text(m.GetStringMatch(), value)
}

func metadata(m *matcher.MetadataMatcher, r request) bool {
	var at any = r.Metadata[m.Filter]
	for _, part := range m.Path {
		table, ok := at.(map[string]any)
		if !ok {
			return false
		}
		at = table[part.GetKey()]
	}
	value, ok := at.(string)
	return ok && text(m.Value.GetStringMatch(), value)
}

func permits(p *rbacconfig.Permission, r request) bool {
	switch rule := p.Rule.(type) {
	case *rbacconfig.Permission_Any:
		return rule.Any
	case *rbacconfig.Permission_NotRule:
		return !permits(rule.NotRule, r)
	case *rbacconfig.Permission_OrRules:
		for _, one := range rule.OrRules.Rules {
			if permits(one, r) {
				return true
			}
		}
		return false
	case *rbacconfig.Permission_AndRules:
		for _, one := range rule.AndRules.Rules {
			if !permits(one, r) {
				return false
			}
		}
		return true
	case *rbacconfig.Permission_Header:
		return header(rule.Header, r)
	case *rbacconfig.Permission_UrlPath:
		path, _, _ := strings.Cut(r.Headers[":path"], "?")
		return text(rule.UrlPath.GetPath(), path)
	}
	panic("a permission is given in a way that is not looked at here")
}

func is(p *rbacconfig.Principal, r request) bool {
	switch who := p.Identifier.(type) {
	case *rbacconfig.Principal_Header:
		return header(who.Header, r)
	case *rbacconfig.Principal_Metadata:
		return metadata(who.Metadata, r)
	}
	panic("a principal is named in a way that is not looked at here")
}

func matches(rules *rbacconfig.RBAC, r request) bool {
	for _, policy := range rules.Policies {
		isPrincipal, isPermission := false, false
		for _, principal := range policy.Principals {
			isPrincipal = isPrincipal || is(principal, r)
		}
		for _, permission := range policy.Permissions {
			isPermission = isPermission || permits(permission, r)
		}
		if isPrincipal && isPermission {
			return true
		}
	}
	return false
}

func run() error {
	var it asked
	if err := json.NewDecoder(os.Stdin).Decode(&it); err != nil {
		return err
	}
	var read filter
	if err := yaml.UnmarshalStrict([]byte(it.Filter), &read); err != nil {
		return err
	}
	var packed anypb.Any
	if err := protojson.Unmarshal(read.TypedConfig, &packed); err != nil {
		return err
	}
	config := &rbac.RBAC{}
	if err := packed.UnmarshalTo(config); err != nil {
		return err
	}
	if err := config.ValidateAll(); err != nil {
		return err
	}
	passes := []bool{}
	for _, one := range it.Requests {
		isDeny := config.Rules.Action == rbacconfig.RBAC_DENY
		passes = append(passes, matches(config.Rules, one) != isDeny)
	}
	return json.NewEncoder(os.Stdout).Encode(passes)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
