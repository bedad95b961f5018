#pragma once

// Floor 3: pools that run functions in parallel, on threads or in processes, and their results.

#include <weft/pool/actor.hpp>
#include <weft/pool/as_completed.hpp>
#include <weft/pool/captured.hpp>
#include <weft/pool/delayed.hpp>
#include <weft/pool/future.hpp>
#include <weft/pool/object_ref.hpp>
#include <weft/pool/process_pool.hpp>
#include <weft/pool/remote.hpp>
#include <weft/pool/shared_array.hpp>
#include <weft/pool/thread_pool.hpp>
#include <weft/pool/wait.hpp>
