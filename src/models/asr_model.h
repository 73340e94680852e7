#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "checkpoint/model_package.h"
#include "frontend/frontend.h"
#include "models/weight_source.h"
