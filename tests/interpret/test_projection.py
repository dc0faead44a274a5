"""Maps: the same every time, new points in their place, and measured against what is known of the clusters."""

from unittest.mock import patch

import numpy as np
import pytest
from scipy.optimize import minimize

from ser_core.interpret import projection as fitting
from ser_core.interpret.embeddings import MAP_QUALITY_NEIGHBOURS, map_quality, nearest_neighbours, neighbour_purity
from ser_core.interpret.out_of_sample import transform_tsne
from ser_core.interpret.projection import MIN_PROJECTION_POINTS, PROJECTION_KINDS, Projection, ProjectionConfig

pytestmark = pytest.mark.slow

N_CLUSTERS, N_POINTS, DIM = 4, 240, 20
RNG = np.random.default_rng(0)
CENTRES = RNG.normal(0, 5, (N_CLUSTERS, DIM))
LABELS = np.arange(N_POINTS) % N_CLUSTERS
POINTS = (CENTRES[LABELS] + RNG.normal(size=(N_POINTS, DIM))).astype(np.float32)
NEW = (CENTRES + RNG.normal(size=CENTRES.shape)).astype(np.float32)
CONFIGS = {
    f"{kind} {n_dims}-D": ProjectionConfig(kind, n_dims, perplexity=20, n_neighbours=15, seed=1)
    for kind in PROJECTION_KINDS
    for n_dims in (2, 3)
}


@pytest.fixture(scope="module", autouse=True)
def few_steps():
    """Clusters that lie apart need no more of them; each takes t-SNE 7 ms, however few points there are."""
    with patch.multiple(fitting, TSNE_PHASES=((50, 12, 0.5), (100, 1, 0.8))):
        yield


@pytest.fixture(scope="module", params=CONFIGS)
def projection(request) -> Projection:
    return Projection.fit(CONFIGS[request.param], POINTS)


def by_opentsne(made: Projection) -> np.ndarray:
    from openTSNE import TSNEEmbedding  # not in every worker
    from openTSNE.affinity import PerplexityBasedNN

    known, points = made.components.transform(POINTS), made.components.transform(NEW)
    affinities = PerplexityBasedNN(known, made.config.perplexity, random_state=0)
    embedding = TSNEEmbedding(made.coordinates, affinities, random_state=0, negative_gradient_method="bh")
    partial = embedding.prepare_partial(points, perplexity=5)
    return np.array(partial.optimize(n_iter=250, learning_rate=0.1, exaggeration=1.5, momentum=0.8))


def by_umap(made: Projection) -> np.ndarray:
    import umap  # not in every worker

    config = made.config
    there = {"init": made.coordinates, "n_epochs": 0}  # its graph of neighbours, and the map as it is
    fitted = umap.UMAP(config.n_neighbours, config.n_dims, min_dist=config.min_dist, random_state=0, **there)
    nearest = patch.object(umap.umap_, "fast_knn_indices", lambda distance, k: np.argsort(distance, axis=1)[:, :k])
    with nearest:  # its own compiles for six seconds
        fitted.fit(made.components.transform(POINTS))
    fitted.embedding_, fitted.n_epochs = made.coordinates.astype(np.float32), None
    return np.concatenate([fitted.transform(point[None]) for point in made.components.transform(NEW)])


def test_a_new_point_comes_to_rest_where_its_loss_is_least():
    """That of t-SNE: its neighbours, here one alone, pull it with the exaggeration of 1.5, and all points push it."""
    coordinates = np.random.default_rng(3).uniform(-3, 3, (60, 2))
    known = 100 * np.eye(60)  # so that one neighbour counts and no other
    (place,) = transform_tsne(known[:1] * 0.99, known, coordinates, perplexity=1.0)

    def loss(at: np.ndarray) -> float:
        kernel = 1 / (1 + np.square(coordinates - at).sum(1))
        return float(np.log(kernel.sum()) - 1.5 * np.log(kernel[0]))

    least = minimize(loss, place)
    assert loss(place) - least.fun < 1e-3 and np.linalg.norm(place - least.x) < 0.05
    assert np.linalg.norm(least.x - coordinates[0]) > 0.05  # the push is felt


@pytest.mark.filterwarnings("ignore")  # of umap, about threads and seeds
class TestEveryKind:
    def test_a_map_has_its_dimensions_and_comes_out_the_same_again(self, projection):
        assert projection.coordinates.shape == (N_POINTS, projection.config.n_dims)
        again = Projection.fit(projection.config, POINTS)
        np.testing.assert_allclose(again.coordinates, projection.coordinates, atol=1e-5)

    def test_new_points_lie_in_their_cluster_alone_as_together(self, projection):
        placed = projection.place(NEW)
        centres = np.stack([projection.coordinates[k == LABELS].mean(0) for k in range(N_CLUSTERS)])
        distance = np.linalg.norm(placed[:, None] - centres, axis=2)
        assert distance.argmin(1).tolist() == [0, 1, 2, 3]
        alone = np.concatenate([projection.place(point[None]) for point in NEW])
        np.testing.assert_allclose(alone, placed, atol=1e-6)

    def test_new_points_lie_where_the_usual_programs_put_them(self, projection):
        usual = {"pca": lambda made: made.components.transform(NEW), "tsne": by_opentsne, "umap": by_umap}
        expected = usual[projection.config.kind](projection)[:, : projection.config.n_dims]
        gap = np.linalg.norm(projection.place(NEW) - expected, axis=1)
        assert gap.max() < 0.05 * np.ptp(projection.coordinates)  # UMAP draws by lot which points pull and push

    def test_a_stored_map_places_as_the_one_that_was_fitted(self, projection):
        stored = Projection(projection.config, POINTS, projection.coordinates)
        np.testing.assert_allclose(stored.place(NEW[:1]), projection.place(NEW[:1]), atol=1e-6)

    def test_progress_ends_at_one_and_may_stop_the_work(self, projection):
        shares = []
        Projection.fit(projection.config, POINTS[:80], shares.append)
        assert shares[-1] == 1 and shares == sorted(shares)
        assert len(shares) >= 3 or projection.config.kind == "pca"  # a quick machine tells few steps

        def stop(share: float) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            Projection.fit(projection.config, POINTS[:80], stop)


def test_what_cannot_be_mapped_is_said(subtests):
    for config, n_points, message in [
        (ProjectionConfig("mds"), 100, "umap, tsne, pca"),
        (ProjectionConfig("pca"), 1, "^1 points"),
        (ProjectionConfig("umap"), 2, "^2 points"),
        (ProjectionConfig("pca"), MIN_PROJECTION_POINTS - 1, f"{MIN_PROJECTION_POINTS}"),
        (ProjectionConfig("tsne", perplexity=30), 90, "(29|30) at most.*at least 91"),
        (ProjectionConfig("umap", n_neighbours=30), 30, "29.*at least 31"),
    ]:
        with subtests.test(config=config), pytest.raises(ValueError, match=message):
            Projection.fit(config, POINTS[:n_points])


def test_parameters_that_make_no_map_are_an_error(subtests):
    for config, message in [
        (ProjectionConfig("pca", n_dims=0), "2 or 3 dimensions, not 0"),
        (ProjectionConfig("tsne", perplexity=0), "perplexity of 0"),
        (ProjectionConfig("tsne", perplexity=np.nan), "perplexity of nan"),
        (ProjectionConfig("umap", n_neighbours=1), "2 neighbours or more"),
        (ProjectionConfig("umap", min_dist=-1), "0 or more"),
    ]:
        with subtests.test(config=config), pytest.raises(ValueError, match=message):
            Projection.fit(config, POINTS)


def test_embeddings_without_a_map_are_an_error():
    """On equal points openTSNE ends the process."""
    with pytest.raises(ValueError, match="All 240 embeddings are the same"):
        Projection.fit(ProjectionConfig("tsne"), np.ones_like(POINTS))
    for kind in PROJECTION_KINDS:
        with pytest.raises(ValueError, match="not finite"):
            Projection.fit(ProjectionConfig(kind), np.where(np.arange(N_POINTS)[:, None] == 3, np.nan, POINTS))


# --- quality ---------------------------------------------------------------------------------------------------------


def test_a_perfect_map_and_a_shuffled_one():
    flat = np.concatenate([POINTS[:, :2], np.zeros((N_POINTS, 3))], axis=1)
    names = LABELS.astype(str)
    perfect = map_quality(flat, flat[:, :2], names, names)
    assert perfect.trustworthiness == perfect.continuity == 1 and perfect.purity_map == perfect.purity_embedding
    assert perfect.same_corpus == perfect.purity_embedding  # the same groups
    shuffled = map_quality(flat, np.random.default_rng(1).permutation(flat[:, :2]), names, names)
    assert shuffled.trustworthiness < 0.6 and shuffled.continuity < 0.6
    assert shuffled.purity_map == pytest.approx(1 / N_CLUSTERS, abs=0.05)


def test_a_map_that_lays_two_clusters_on_each_other_is_continuous_and_not_trustworthy():
    flat, cluster = np.random.default_rng(0).normal(size=(N_POINTS, 2)), np.repeat([0, 1], N_POINTS // 2)
    apart = flat + 100 * cluster[:, None]
    found = map_quality(apart, flat, cluster.astype(str), (np.arange(N_POINTS) % 3).astype(str))
    assert found.continuity > 0.9 and found.trustworthiness < 0.8
    assert found.purity_embedding == 1 and found.purity_map == pytest.approx(1 / 2, abs=0.05)
    assert found.same_corpus == pytest.approx(1 / 3, abs=0.05)


def test_purity_is_the_share_of_neighbours_with_the_same_label():
    line = np.arange(40.0)[:, None]
    alternating = np.array(["a", "b"] * 20)
    assert neighbour_purity(line, np.array(["a"] * 40), np.arange(40)) == 1
    assert neighbour_purity(line, alternating, np.array([20])) == pytest.approx(7 / MAP_QUALITY_NEIGHBOURS, abs=0.07)


def test_neighbours_are_those_of_the_embedding_the_nearest_first():
    found = nearest_neighbours(POINTS, POINTS[[3]], 5)
    expected = np.linalg.norm(POINTS - POINTS[3], axis=1)
    assert found.index[0, 0] == 3 and found.index[0].tolist() == np.argsort(expected)[:5].tolist()
    np.testing.assert_allclose(found.distance[0], np.sort(expected)[:5], atol=1e-3)


def test_too_few_points_are_an_error():
    with pytest.raises(ValueError, match="at most"):
        nearest_neighbours(POINTS[:3], POINTS, 4)
    with pytest.raises(ValueError, match="too few"):
        map_quality(POINTS[:20], POINTS[:20, :2], LABELS[:20].astype(str), ["a"] * 20)
