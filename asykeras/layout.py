"""Where the channels of an image are: `channels_last` or `channels_first`, as Keras' layers say."""

import keras


def standardize_data_format(data_format: str | None) -> str:
    """Return the data format, by default that of `keras.config.image_data_format()`.

    Raises:
        ValueError: for another name.
    """
    if data_format is None:
        return keras.config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            f"data_format must be 'channels_last' or 'channels_first'. Received: {data_format!r}"
        )
    return data_format
