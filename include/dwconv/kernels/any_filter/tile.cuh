// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <dwconv/kernels/any_filter/params.hpp>

DWCONV_ABI_NAMESPACE_BEGIN

/// One tile: which outputs, and what of x is under them.
struct any_filter_tile {
  int image;
  int images;
  int channel;  ///< Output channels.
  int channels;
  int input_channel;
  int input_channels;
  int row;
  int rows;
  int column;
  int columns;
  int lead;  ///< Elements before a staged row's first, so that vectors of x stay vectors.
  lattice_window down;
  lattice_window across;

  /// Tile number `index`: along a row, down a plane, over the channels, over the images.
  template <typename Params>
  [[nodiscard]] static __device__ any_filter_tile of(Params const& p, int index)
  {
    int const strip   = p.column_tiles.quotient(index);
    int const planes  = p.row_tiles.quotient(strip);
    int const imaging = p.channel_tiles.quotient(planes);
    any_filter_tile t;
    t.column         = (index - strip * p.column_tiles.divisor()) * p.tile.columns;
    t.row            = (strip - planes * p.row_tiles.divisor()) * p.tile.rows;
    t.channel        = (planes - imaging * p.channel_tiles.divisor()) * p.tile.channels;
    t.image          = imaging * p.tile.images;
    t.images         = min(p.tile.images, p.images - t.image);
    t.channels       = min(p.tile.channels, p.channels - t.channel);
    t.rows           = min(p.tile.rows, p.rows.output - t.row);
    t.columns        = min(p.tile.columns, p.columns.output - t.column);
    t.input_channel  = p.multiplier.quotient(t.channel);
    t.input_channels = p.multiplier.quotient(t.channel + t.channels - 1) - t.input_channel + 1;
    t.down           = lattice_window::of(p.rows, t.row);
    t.across         = lattice_window::of(p.columns, t.column);
    t.lead           = t.across.origin & (p.vector - 1);
    return t;
  }
};

DWCONV_ABI_NAMESPACE_END
