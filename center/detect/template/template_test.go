package template_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/template"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, template.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
