package accountenum_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/accountenum"
	"github.com/verderer/verderer/center/detect/detecttest"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, accountenum.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
