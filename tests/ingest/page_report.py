"""A report with every key, for the tests of the page and its plots."""


def crossing(question, answer, topic, near, rows, share):
    return {
        "pairs_sharing_question": question,
        "pairs_sharing_answer": answer,
        "pairs_sharing_topic": topic,
        "near_duplicate_pairs": near,
        "rows_sharing_question_or_answer": rows,
        "share_of_rows_sharing_question_or_answer": share,
    }


def full_report():
    """A report of 1,210 rows read and 1,200 kept, every key there."""
    nothing = crossing(0, 0, 0, 0, 0, 0.0)
    return {
        "rows": {"in": 1210, "kept": 1200, "dropped": 10, "dropped_by_reason": {"too short": 3, "exact duplicate": 7}},
        "documents_without_answers": 0,
        "ids": "hashes of question and answer",
        "split_by": "topic",
        "splits": {
            "train": {"rows": 960, "share": 0.8, "wanted": 0.8, "groups": 300},
            "validation": {"rows": 120, "share": 0.1, "wanted": 0.1, "groups": 41},
            "test": {"rows": 120, "share": 0.1, "wanted": 0.1, "groups": 42},
        },
        "certificate": {
            "threshold": 0.8,
            "split": {"test/train": nothing, "validation/train": nothing, "test/validation": nothing},
            "random": {
                "test/train": crossing(61, 1362, 806, 2724, 30, 0.25),
                "validation/train": crossing(62, 1034, 794, 2287, 24, 0.2),
                "test/validation": crossing(6, 199, 91, 337, 12, 0.1),
            },
            "closest": {
                "jaccard": 0.7912,
                "test": {"id": "a", "question": "What is alpha?"},
                "train": {"id": "b", "question": "What is beta?"},
            },
        },
        "near_duplicates": {"threshold": 0.8, "sets": 5, "rows": 17, "largest": 6},
        "groups": {
            "count": 383,
            "largest": [
                {
                    "id": "000faa731b441f9c",
                    "rows": 300,
                    "share": 0.25,
                    "split": "train",
                    "topics": 40,
                    "rows_with_commonest_answer": 12,
                    "some_topics": ["Gout", "Mumps"],
                }
            ],
        },
        "repeated_answers": [{"rows": 12, "topics": 11, "answer": "Ask a doctor."}],
        "by_type": {
            "symptoms": {"train": 480, "validation": 30, "test": 60},
            "causes": {"train": 480, "validation": 90, "test": 60},
        },
        "by_source": {
            "NIH": {"train": 900, "validation": 120, "test": 120},
            "": {"train": 60, "validation": 0, "test": 0},
        },
        "warnings": [],
        "lengths": {
            "question": {
                "edges": [3, 4, 5, 6],
                "train": [240, 480, 240],
                "validation": [0, 120, 0],
                "test": [30, 30, 60],
            },
            "answer": {
                "edges": [1, 10, 100, 1000],
                "train": [96, 480, 384],
                "validation": [12, 12, 96],
                "test": [120, 0, 0],
            },
        },
        "cluster_sizes": {"1": 310, "2": 60, "4": 12, "300": 1, "5": 34},
        "topics": {
            "topics": 90,
            "rows_with_topic": 1190,
            "most_frequent": [["Gout", 40], ["Mumps", 31]],
            "sizes": {"40": 1, "31": 1, "12": 88},
        },
        "phi": {"rows": 4, "by_rule": {"e-mail": 1, "phone": 3}, "action": "report"},
    }
