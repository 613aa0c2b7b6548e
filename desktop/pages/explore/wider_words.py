"""The wider words for what the pretrained network sees, in the language of the window."""

from __future__ import annotations

from desktop.i18n import tr


def own_wider_words() -> dict[str, str]:
    """Return the English word for each word in the language of the window."""
    return {
        own.casefold(): word
        for own, word in (
            (tr("animal"), "animal"),
            (tr("fish"), "fish"),
            (tr("shark"), "shark"),
            (tr("bird"), "bird"),
            (tr("frog"), "frog"),
            (tr("turtle"), "turtle"),
            (tr("lizard"), "lizard"),
            (tr("snake"), "snake"),
            (tr("reptile"), "reptile"),
            (tr("spider"), "spider"),
            (tr("insect"), "insect"),
            (tr("beetle"), "beetle"),
            (tr("butterfly"), "butterfly"),
            (tr("crab"), "crab"),
            (tr("whale"), "whale"),
            (tr("dog"), "dog"),
            (tr("wolf"), "wolf"),
            (tr("fox"), "fox"),
            (tr("cat"), "cat"),
            (tr("bear"), "bear"),
            (tr("rabbit"), "rabbit"),
            (tr("horse"), "horse"),
            (tr("pig"), "pig"),
            (tr("cow"), "cow"),
            (tr("sheep"), "sheep"),
            (tr("antelope"), "antelope"),
            (tr("monkey"), "monkey"),
            (tr("elephant"), "elephant"),
            (tr("mammal"), "mammal"),
            (tr("plant"), "plant"),
            (tr("flower"), "flower"),
            (tr("fruit"), "fruit"),
            (tr("vegetable"), "vegetable"),
            (tr("mushroom"), "mushroom"),
            (tr("food"), "food"),
            (tr("drink"), "drink"),
            *_things(),
        )
    }


def _things() -> tuple[tuple[str, str], ...]:
    return (
        (tr("vehicle"), "vehicle"),
        (tr("car"), "car"),
        (tr("truck"), "truck"),
        (tr("bus"), "bus"),
        (tr("train"), "train"),
        (tr("bicycle"), "bicycle"),
        (tr("motorcycle"), "motorcycle"),
        (tr("boat"), "boat"),
        (tr("ship"), "ship"),
        (tr("aeroplane"), "aeroplane"),
        (tr("building"), "building"),
        (tr("furniture"), "furniture"),
        (tr("clothing"), "clothing"),
        (tr("shoe"), "shoe"),
        (tr("hat"), "hat"),
        (tr("instrument"), "instrument"),
        (tr("tool"), "tool"),
        (tr("computer"), "computer"),
        (tr("ball"), "ball"),
        (tr("mountain"), "mountain"),
        (tr("beach"), "beach"),
        (tr("water"), "water"),
        (tr("bridge"), "bridge"),
    )
