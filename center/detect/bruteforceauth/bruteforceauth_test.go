package bruteforceauth_test

import (
	"testing"

	"github.com/verderer/verderer/center/detect/bruteforceauth"
	"github.com/verderer/verderer/center/detect/detecttest"
)

func TestScenarios(t *testing.T) { detecttest.Run(t, bruteforceauth.Definition) }

func TestMutants(t *testing.T) { detecttest.Mutants(t) }
