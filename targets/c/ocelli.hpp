// Ocelli for C++17: the handles of ocelli.h as objects, its statuses as exceptions. Nothing more: every call is one call.
//
//     ocelli::Model model{ocelli::Files{"model.gguf"}};
//     ocelli::Session session{model, "image=1280x720"};
//     session.image(jpeg.data(), jpeg.size());
//     session.text("What does the gauge read?");
//     session.answer([](std::string_view piece) { std::cout << piece; return true; });
//
// A session keeps a reference to its model: the model must outlive it, and neither may be moved while a call is in it.
#ifndef OCELLI_HPP
#define OCELLI_HPP

#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "ocelli.h"

namespace ocelli {

// A call that did nothing: its status, and what it had to say.
class Error : public std::runtime_error {
public:
    Error(ocelli_status status, const char *text) : std::runtime_error(text), status_(status) {}
    ocelli_status status() const noexcept { return status_; }

private:
    ocelli_status status_;
};

inline void check(ocelli_status status, ocelli_session *session = nullptr) {
    if (status < 0) throw Error(status, status == OCELLI_BUSY ? ocelli_status_text(status) : ocelli_error(session));
}

// A block of the caller's memory; none stands for malloc.
struct Memory {
    void *at = nullptr;
    std::size_t bytes = 0;
};

// Where a model is. What it names must live as long as this, and bytes as long as the model.
class Files {
public:
    explicit Files(std::string_view text, std::string_view vision = {}, std::uint32_t flags = 0) {
        source_.text_path = text.data();
        source_.text_path_length = text.size();
        if (!vision.empty()) {
            source_.vision_path = vision.data();
            source_.vision_path_length = vision.size();
        }
        source_.flags = flags;
    }
    Files(const void *text, std::size_t text_length, const void *vision = nullptr, std::size_t vision_length = 0) {
        source_.text = text;
        source_.text_length = text_length;
        source_.vision = vision;
        source_.vision_length = vision_length;
    }
    const ocelli_source *get() const noexcept { return &source_; }

private:
    ocelli_source source_ = sized<ocelli_source>();

    template <class T> static T sized() {
        T made{};
        made.size = sizeof made;
        return made;
    }
};

class Model {
public:
    explicit Model(const Files &files, Memory memory = {}) {
        check(ocelli_check(OCELLI_ABI));
        ocelli_model *made = nullptr;
        check(ocelli_model_open(files.get(), memory.at, memory.bytes, &made));
        handle_.reset(made);
    }
    // The bytes of memory that opening these files takes.
    static std::size_t need(const Files &files) {
        std::size_t bytes = 0;
        check(ocelli_model_need(files.get(), &bytes));
        return bytes;
    }
    ocelli_need plan(std::string_view options = "") const {
        ocelli_need need{};
        need.size = sizeof need;
        check(ocelli_plan(get(), options.data(), options.size(), &need));
        return need;
    }
    const ocelli_model *get() const noexcept { return handle_.get(); }

private:
    struct Free {
        void operator()(ocelli_model *model) const noexcept { ocelli_model_free(model); }
    };
    std::unique_ptr<ocelli_model, Free> handle_;
};

// An image as a decoder reads it: rows of `width` numbers.
struct Rows {
    const float *values = nullptr;
    std::size_t count = 0;
    std::size_t width = 0;
};

class Session {
public:
    explicit Session(const Model &model, std::string_view options = "", Memory memory = {}) {
        ocelli_session *made = nullptr;
        check(ocelli_session_new(model.get(), options.data(), options.size(), memory.at, memory.bytes, &made));
        handle_.reset(made);
    }
    void set(std::string_view key, std::string_view value) {
        call(ocelli_set(get(), key.data(), key.size(), value.data(), value.size()));
    }
    void text(std::string_view text, std::int32_t role = OCELLI_USER) {
        call(ocelli_add_text(get(), role, text.data(), text.size()));
    }
    void image(const void *encoded, std::size_t length) { call(ocelli_add_image(get(), encoded, length)); }
    void frame(const ocelli_frame &frame) { call(ocelli_add_frame(get(), &frame)); }

    // The rows of the image added last, one after another, where they are until the next call. Empty: cancelled or late.
    Rows embed() {
        Rows rows;
        call(ocelli_embed(get(), &rows.values, &rows.count, &rows.width));
        return rows;
    }

    // The next piece of the answer, into a buffer of the caller's: OCELLI_OK, OCELLI_END, OCELLI_CANCELLED, OCELLI_LATE.
    ocelli_status next(char *buffer, std::size_t room, std::string_view &piece) {
        std::size_t length = 0;
        const ocelli_status status = ocelli_next(get(), buffer, room, &length);
        call(status);
        if (status == OCELLI_OK) piece = {buffer, length};
        return status;
    }

    // The whole answer, piece by piece, to something that takes a text and returns whether to go on. What it throws comes
    // out here, and not through C. OCELLI_OK, OCELLI_CANCELLED, OCELLI_LATE.
    template <class Sink> ocelli_status answer(Sink &&sink) {
        struct Both {
            std::remove_reference_t<Sink> *sink;
            std::exception_ptr thrown;
        } both{std::addressof(sink), nullptr};
        const auto pass = [](void *user, const char *text, std::size_t length) -> int {
            auto *both = static_cast<Both *>(user);
            try {
                return (*both->sink)(std::string_view{text, length}) ? 0 : 1;
            } catch (...) {
                both->thrown = std::current_exception();
                return 1;
            }
        };
        const ocelli_status status = ocelli_answer(get(), pass, &both);
        if (both.thrown) std::rethrow_exception(both.thrown);
        call(status);
        return status;
    }
    std::string answer() {
        std::string all;
        answer([&all](std::string_view piece) {
            all += piece;
            return true;
        });
        return all;
    }
    // From any thread.
    void cancel() const noexcept { ocelli_cancel(handle_.get()); }
    void reset(std::int32_t what = OCELLI_RESET_ALL) { call(ocelli_reset(get(), what)); }
    ocelli_stats stats() {
        ocelli_stats stats{};
        stats.size = sizeof stats;
        call(ocelli_get_stats(get(), &stats));
        return stats;
    }
    ocelli_session *get() noexcept { return handle_.get(); }

private:
    struct Free {
        void operator()(ocelli_session *session) const noexcept { ocelli_session_free(session); }
    };
    std::unique_ptr<ocelli_session, Free> handle_;

    void call(ocelli_status status) { check(status, handle_.get()); }
};

} // namespace ocelli
#endif
