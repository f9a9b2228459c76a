package sensitivegroupadd_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/detecttest"
	"github.com/verderer/verderer/center/detect/sensitivegroupadd"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, sensitivegroupadd.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
