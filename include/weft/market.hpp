#pragma once

// Floor 6: prices and risk by simulation, ticks, and simulated time.

#include <weft/market/brownian_motion.hpp>
#include <weft/market/closed_form.hpp>
#include <weft/market/correlation.hpp>
#include <weft/market/estimate.hpp>
#include <weft/market/geometric_brownian.hpp>
#include <weft/market/monte_carlo.hpp>
#include <weft/market/monte_carlo_options.hpp>
#include <weft/market/option.hpp>
#include <weft/market/path_math.hpp>
#include <weft/market/path_model.hpp>
#include <weft/market/risk_engine.hpp>
#include <weft/market/simulated_ticks.hpp>
#include <weft/market/simulation_place.hpp>
#include <weft/market/tail_risk.hpp>
#include <weft/market/tick.hpp>
#include <weft/market/tick_checker.hpp>
#include <weft/market/tick_client.hpp>
#include <weft/market/tick_history.hpp>
#include <weft/market/tick_inbox.hpp>
#include <weft/market/tick_server.hpp>
#include <weft/market/virtual_clock.hpp>
#include <weft/market/virtual_feed.hpp>
